"""What a method says about the step it just did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Record:
    """One step of a multi-task method, in task order.

    Attributes:
        losses: Loss of each task, by name.
        weights: Weight that each task's loss had in the gradient, by name.
    """

    losses: dict[str, float]
    weights: dict[str, float]
