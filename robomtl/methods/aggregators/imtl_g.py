"""IMTL-G: the update that has equal projections on all task gradients."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.equal_cosines import pseudo_solve, solve_gram
from robomtl.methods.aggregators.unit import STATIONARY, normalised


class IMTLG(Aggregator):
    """Gives the update the same projection on every task's gradient.

    Liu et al., Towards Impartial Multi-task Learning (ICLR 2021), eq. 6:

        d . g_i / |g_i| equal for all i,  sum_i alpha_i = 1

    which is M alpha proportional to (|g_i|)_i. Weights: the projections are proportional to w, and
    alpha sums to sum_i w_i. The common projection is negative, as the paper's formula has it, where
    only negative coefficients in all can make projections equal; where they sum to zero, there is
    no solution and alpha is 0. Tasks without gradient get 0.

    Where M is singular, its pseudo-inverse is used (Quinton and Rey, 2024) as long as it makes
    projections equal. For opposite gradients, say, it does not: there only d = 0 does, which is
    what the paper's formula tends to, so coefficients are taken that cancel all gradients. Where
    none of those sum to anything, the pseudo-inverse comes nearest.
    """

    sums = False

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return what makes projections proportional to w, made to sum to sum_i w_i."""
        alpha = np.zeros_like(weights)
        tasks = np.flatnonzero(gram.diagonal())
        gram = gram[np.ix_(tasks, tasks)]
        unit, lengths = normalised(gram)
        wanted = weights[tasks]
        solved = solve_gram(unit, wanted)
        v = _dependent(gram, lengths, wanted) if solved is None else solved / lengths
        total = float(v.sum())
        if abs(total) > 1e-12 * float(np.abs(v).sum()):
            alpha[tasks] = v * (weights.sum() / total)
        return alpha


def _dependent(gram: Array, lengths: Array, wanted: Array) -> Array:
    """Return coefficients for linearly dependent gradients, of any sum."""
    unit, _ = normalised(gram)
    inverse = lengths.min() / lengths
    cancelling = _kernel_part(unit, inverse)
    if _matters(_kernel_part(unit, wanted), wanted) and _matters(cancelling, inverse):
        return cancelling * inverse
    return pseudo_solve(gram, lengths * wanted)


def _kernel_part(gram: Array, vector: Array) -> Array:
    """Return the part of a vector that M makes nothing of."""
    return vector - gram @ pseudo_solve(gram, vector)


def _matters(part: Array, whole: Array) -> bool:
    return bool(np.abs(part).max() > STATIONARY * np.abs(whole).max())
