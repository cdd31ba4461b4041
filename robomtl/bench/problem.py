"""What a benchmark needs to know of a problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from robomtl.methods import Objective

Start = Callable[[], tuple[Objective, torch.optim.Optimizer]]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A network to train, and two batches to train it on again and again.

    Attributes:
        name: What the problem is called.
        summary: One line about it.
        tasks: Names of the K tasks.
        settings: Which tasks are primary, by a name for that choice. The first one is used by
            methods that treat all tasks alike.
        batch: What losses are computed from.
        validation_batch: Another batch of the same size, for methods that look ahead.
        start: Makes a fresh objective, always the same, and the optimiser that trains it.
    """

    name: str
    summary: str
    tasks: tuple[str, ...]
    settings: Mapping[str, tuple[str, ...]]
    batch: Any
    validation_batch: Any
    start: Start
