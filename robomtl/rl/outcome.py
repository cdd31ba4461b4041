"""What runs came to: curves of success, and how much the tasks' gradients were at odds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.lines import read_lines
from robomtl.written import read_json

Array = NDArray[np.float64]

PARTS = ("critic", "actor")
MEASURES = ("condition_number", "lowest_cosine")


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """One method and seed.

    Attributes:
        tasks: Names of the T tasks.
        steps: Environment steps of all tasks together at each of N evaluations, (N,).
        success: Success rates, (N, T).
        final: Success rates of the evaluation at the end, (T,).
        conflict: "<part>_<measure>" of `PARTS` and `MEASURES` to steps and values, (L,) each; what
            is infinite or unknown is NaN. Empty where no tasks shared anything.
    """

    tasks: tuple[str, ...]
    steps: NDArray[np.int64]
    success: Array
    final: Array
    conflict: dict[str, tuple[NDArray[np.int64], Array]]


def outcome_of(run: Path) -> Outcome:
    """Return what a finished run came to."""
    result = read_json(run / "result.json")
    tasks = tuple(result["card"]["tasks"])
    lines = read_lines(run / "evaluations.jsonl")
    metrics = read_lines(run / "metrics.jsonl")
    curves = {name: _curve(metrics, name) for name in (f"{p}_{m}" for p in PARTS for m in MEASURES)}
    return Outcome(
        tasks=tasks,
        steps=np.array([line["step"] for line in lines]),
        success=np.array([[line["success"][task] for task in tasks] for line in lines]),
        final=np.array([result["final"]["success"][task] for task in tasks]),
        conflict=curves if any(len(values) for _, values in curves.values()) else {},
    )


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return runs that learned one task each, with as many evaluations, as if they were one."""
    return Outcome(
        tasks=tuple(task for one in outcomes for task in one.tasks),
        steps=np.sum([one.steps for one in outcomes], axis=0),
        success=np.concatenate([one.success for one in outcomes], axis=1),
        final=np.concatenate([one.final for one in outcomes]),
        conflict={},
    )


def _curve(lines: Sequence[dict[str, Any]], name: str) -> tuple[NDArray[np.int64], Array]:
    # The first lines are of the warm-up, in which nothing is learned.
    known = [line for line in lines if name in line.get("train", {})]
    return (
        np.array([line["step"] for line in known], np.int64),
        np.array([line["train"][name] for line in known], float),
    )
