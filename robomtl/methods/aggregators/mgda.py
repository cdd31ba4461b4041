"""MGDA: the shortest vector in the convex hull of the task gradients."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.nonnegative import minimise_nonnegative
from robomtl.methods.aggregators.unit import unit_gram


class MGDA(Aggregator):
    """Finds the shortest convex combination of the gradients, a common descent direction.

    Désidéri, Multiple-gradient descent algorithm (2012); Sener and Koltun, Multi-Task Learning
    as Multi-Objective Optimization (NeurIPS 2018), eq. 3:

        min_alpha |sum_i alpha_i g_i|^2  subject to  alpha >= 0, sum_i alpha_i = 1

    Solved exactly: where y minimises y^T M y / 2 - sum_i y_i over y >= 0, alpha is y / sum_i y_i
    (both have M alpha >= |G^T alpha|^2 with equality on the support).

    Weights scale the gradients: r_i = K w_i, and a task of weight 0 is left out. A task without
    gradient makes 0 the shortest vector, as the definition has it: it gets everything.
    """

    sums = False

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return the weights of the shortest vector in the hull of the scaled gradients."""
        scales = weights * len(weights)
        counted = np.flatnonzero(scales)
        alpha = np.zeros_like(weights)
        if not len(counted):
            return alpha
        scaled = gram[np.ix_(counted, counted)] * scales[counted] * scales[counted, None]
        alpha[counted] = scales[counted] * shortest(scaled)
        return alpha


def shortest(gram: Array) -> Array:
    """Return the convex weights of the shortest vector in the hull of these gradients, (K,)."""
    without = (gram.diagonal() == 0).astype(np.float64)
    if without.any():
        return without / without.sum()
    unit, lengths = unit_gram(gram)
    inverse = lengths.min() / lengths
    y, _ = minimise_nonnegative(unit, inverse)
    alpha = y * inverse
    return alpha / alpha.sum()
