"""Numbers over seeds: means, interquartile means, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
_RESAMPLES = 10_000
_BLOCK = 1000  # resamples at a time


def interquartile_mean(values: ArrayLike, axis: int = -1) -> Array:
    """Return the mean of the middle half of the values.

    A quarter of them, rounded down, is left out at either end, as rliable does (Agarwal et al.
    2021): of three or fewer, none is.
    """
    ordered = np.sort(np.asarray(values, float), axis)
    count = ordered.shape[axis]
    cut = count // 4
    return ordered.take(range(cut, count - cut), axis).mean(axis)


def mean(values: ArrayLike, axis: int = -1) -> Array:
    """Return the mean of the values."""
    return np.asarray(values, float).mean(axis)


AGGREGATES: dict[str, Callable[..., Array]] = {"mean": mean, "iqm": interquartile_mean}
"""What a protocol can report over seeds, by name."""


def bootstrap_interval(
    values: ArrayLike, aggregate: str, level: float = 0.95, seed: int = 0
) -> tuple[Array, Array] | None:
    """Return a percentile bootstrap interval over seeds, or None for fewer than two.

    With fewer than five seeds it is hardly more than their range.

    Args:
        values: (S,) or (S, ...), a row for each seed.
        aggregate: One of `AGGREGATES`.
        level: The confidence level.
        seed: Of the resampling, which is the same every time.

    Returns:
        The lower and the upper end, of the shape of a row.
    """
    rows = np.asarray(values, float)
    if len(rows) < 2:
        return None
    rng = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            AGGREGATES[aggregate](rows[rng.integers(len(rows), size=(_BLOCK, len(rows)))], axis=1)
            for _ in range(_RESAMPLES // _BLOCK)
        ]
    )
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
