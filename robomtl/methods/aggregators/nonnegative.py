"""Exact minimum of a convex quadratic over non-negative vectors."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.exceptions import SolverError


def minimise_nonnegative(
    matrix: Array, linear: Array, support: list[int] | None = None
) -> tuple[Array, list[int]]:
    """Return argmin over z >= 0 of z^T Q z / 2 - q^T z, (K,), and the indices where z > 0.

    The active-set method of Lawson and Hanson (Solving Least Squares Problems, 1974, ch. 23):
    z always minimises over its own support; the variable that promises most joins, those that
    would turn negative leave. The objective falls at every change, so no support comes twice.

    Args:
        matrix: Q, positive definite, float64 (K, K).
        linear: q, (K,).
        support: Where z is guessed to be positive; all where q is, if nothing is known.

    Raises:
        SolverError: More changes than any well-posed problem needs.
    """
    if support is None:
        support = np.flatnonzero(linear > 0).tolist()
    inside, values = _feasible_start(matrix, linear, support)
    noise = 4 * len(linear) * float(np.finfo(np.float64).eps)
    refused: set[int] = set()
    for _ in range(20 * len(linear) + 20):
        z = _scatter(values, inside, len(linear))
        slope = linear - matrix @ z
        slope[[*inside, *refused]] = -np.inf
        newcomer = int(slope.argmax())
        size = float(np.abs(linear).max()) + sum(values)
        if slope[newcomer] <= noise * size:
            return z, inside
        trial_inside = [*inside, newcomer]
        trial = _solve(matrix, linear, trial_inside)
        if trial[-1] <= 0:  # its slope was rounding: joining would not help
            refused.add(newcomer)
            continue
        inside, values = _walk(matrix, linear, trial_inside, [*values, 0.0], trial)
        refused.clear()
    raise SolverError(f"No minimum over non-negative vectors was found: Q = {matrix}, q = {linear}")


def _feasible_start(
    matrix: Array, linear: Array, support: list[int]
) -> tuple[list[int], list[float]]:
    """Drop what turns negative until the minimum over the rest is positive."""
    while support:
        values = _solve(matrix, linear, support)
        if min(values) > 0:
            return support, values
        support = [i for i, value in zip(support, values, strict=True) if value > 0]
    return [], []


def _walk(
    matrix: Array, linear: Array, inside: list[int], values: list[float], goal: list[float]
) -> tuple[list[int], list[float]]:
    """Go from `values` towards the minimum over `inside`; who reaches zero on the way, leaves."""
    while min(goal) <= 0:
        pairs = list(zip(values, goal, strict=True))
        step = min(old / (old - new) for old, new in pairs if new <= 0)
        moved = [
            0.0 if new <= 0 and old / (old - new) <= step else old + step * (new - old)
            for old, new in pairs
        ]
        inside = [i for i, value in zip(inside, moved, strict=True) if value > 0]
        values = [value for value in moved if value > 0]
        goal = _solve(matrix, linear, inside)
    return inside, goal


def _solve(matrix: Array, linear: Array, inside: list[int]) -> list[float]:
    """Minimise without bounds over the variables inside."""
    return np.linalg.solve(matrix.take(inside, 0).take(inside, 1), linear[inside]).tolist()


def _scatter(values: list[float], inside: list[int], count: int) -> Array:
    z = np.zeros(count)
    z[inside] = values
    return z
