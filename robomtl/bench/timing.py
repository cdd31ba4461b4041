"""Durations of several things that are to be compared."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

Advance = Callable[[], object]


def durations(
    steps: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warm_up: int = 2,
    advance: Advance = lambda: None,
) -> dict[str, list[float]]:
    """Return how long each step took each time, in [s].

    All steps take turns, in another random order in every round, so that whatever else the
    machine does hits all alike. Each is taken twice at its turn, and the second time counts: the
    caches hold then what the step before left in them, as they do in a training.

    Args:
        steps: What to time, by name.
        repeats: Rounds that count.
        warm_up: Rounds before, which do not count.
        advance: Called after every round.
    """
    taken: dict[str, list[float]] = {name: [] for name in steps}
    order = list(steps)
    shuffle = random.Random(0).shuffle
    for turn in range(warm_up + repeats):
        shuffle(order)
        for name in order:
            steps[name]()
            started = time.perf_counter()
            steps[name]()
            if turn >= warm_up:
                taken[name].append(time.perf_counter() - started)
        advance()
    return taken


def ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios within a round: the machine's speed drifts over rounds."""
    return median(time / other for time, other in zip(times, others, strict=True))
