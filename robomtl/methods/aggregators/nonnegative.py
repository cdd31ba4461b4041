"""Exact minimum of a convex quadratic over non-negative vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from robomtl.methods.aggregators.exceptions import SolverError


def minimise_nonnegative(
    matrix: Tensor, linear: Tensor, support: list[int] | None = None
) -> tuple[Tensor, list[int]]:
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
        support = (linear > 0).nonzero().flatten().tolist()
    inside, values = _feasible_start(matrix, linear, support)
    noise = 4 * len(linear) * torch.finfo(torch.float64).eps
    refused: set[int] = set()
    for _ in range(20 * len(linear) + 20):
        z = _scatter(values, inside, len(linear))
        slope = linear - matrix @ z
        slope[inside + list(refused)] = -torch.inf
        steepest, index = slope.max(0)
        size = linear.abs().max().item() + sum(values)
        if steepest.item() <= noise * size:
            return z, inside
        newcomer = int(index)
        trial_inside = [*inside, newcomer]
        trial = _solve(matrix, linear, trial_inside)
        if trial[-1] <= 0:  # its slope was rounding: joining would not help
            refused.add(newcomer)
            continue
        inside, values = _walk(matrix, linear, trial_inside, [*values, 0.0], trial)
        refused.clear()
    raise SolverError(f"No minimum over non-negative vectors was found: Q = {matrix}, q = {linear}")


def _feasible_start(
    matrix: Tensor, linear: Tensor, support: list[int]
) -> tuple[list[int], list[float]]:
    """Drop what turns negative until the minimum over the rest is positive."""
    while support:
        values = _solve(matrix, linear, support)
        if min(values) > 0:
            return support, values
        support = [i for i, value in zip(support, values, strict=True) if value > 0]
    return [], []


def _walk(
    matrix: Tensor, linear: Tensor, inside: list[int], values: list[float], goal: list[float]
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


def _solve(matrix: Tensor, linear: Tensor, inside: list[int]) -> list[float]:
    """Minimise without bounds over the variables inside."""
    index = torch.tensor(inside)
    factor = torch.linalg.cholesky_ex(matrix[index[:, None], index]).L
    return torch.cholesky_solve(linear[index, None], factor).flatten().tolist()


def _scatter(values: list[float], inside: list[int], count: int) -> Tensor:
    z = [0.0] * count
    for i, value in zip(inside, values, strict=True):
        z[i] = value
    return torch.tensor(z, dtype=torch.float64)
