"""Spearman's rank correlation, and how well one relationship of tasks ranks like another."""

from __future__ import annotations

import torch
from torch import Tensor

from robomtl.methods.exceptions import MethodError


def ranks(values: Tensor) -> Tensor:
    """Return the rank of each of n values from 1 up, (n,) float64; ties share their average."""
    less = (values[None] < values[:, None]).sum(1)
    tied = (values[None] == values[:, None]).sum(1)
    return less.double() + (tied.double() + 1) / 2


def spearman(left: Tensor, right: Tensor) -> float:
    """Return Pearson's correlation of the ranks of n pairs of values.

    NaN where it has no meaning: if either side is constant, which includes n = 1.

    Args:
        left: One value of each pair, (n,).
        right: The other, (n,).

    Raises:
        MethodError: The numbers of values differ.
    """
    if left.shape != right.shape or left.ndim != 1:
        raise MethodError(
            f"Rank correlation is of two lists of equal length, not of shapes {tuple(left.shape)} "
            f"and {tuple(right.shape)}."
        )
    if (left.isnan() | right.isnan()).any():
        return torch.nan
    a, b = (ranks(side) - (len(side) + 1) / 2 for side in (left, right))
    length = (a.square().sum() * b.square().sum()).sqrt().item()
    return (a @ b).item() / length if length else torch.nan


def rank_correlation(estimate: Tensor, actual: Tensor) -> float:
    """Return the mean over targets of the rank correlation of what sources do for them.

    That of SAAL's Table 5 (Graffeuille et al. 2024, section 4.4). With three tasks each target
    has two sources, so that its correlation is 1 or -1. Our choice where the paper is silent:
    a target whose sources all tie on either side, or of which an entry is NaN, is left out; with
    no target left, as of two tasks, the result is NaN.

    Args:
        estimate: Relationship (T, T), entry [source, target]; the diagonal does not count.
        actual: Relationship to compare it with, (T, T).

    Raises:
        MethodError: The matrices are not square or of different sizes.
    """
    if estimate.ndim != 2 or estimate.shape != actual.shape or len(estimate) != len(estimate.T):
        raise MethodError(
            f"Relationships are square matrices of one size, not {tuple(estimate.shape)} "
            f"and {tuple(actual.shape)}."
        )
    others = ~torch.eye(len(estimate), dtype=torch.bool)
    found = torch.tensor(
        [spearman(e[o], a[o]) for e, a, o in zip(estimate.T, actual.T, others, strict=True)],
        dtype=torch.float64,
    )
    return found.nanmean().item()
