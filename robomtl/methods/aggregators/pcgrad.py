"""PCGrad: the sum of the task gradients, each without what conflicts with others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.stochastic import StochasticAggregator


class PCGrad(StochasticAggregator):
    """Cuts from each gradient what points against another, then sums.

    Yu et al., Gradient Surgery for Multi-Task Learning (NeurIPS 2020), Algorithm 1: for each
    task i and, in random order, every other task j,

        g_i' <- g_i' - (g_i' . g_j) / |g_j|^2 g_j  if  g_i' . g_j < 0

    Each task draws an order of its own. The projections need products of gradients only, so
    they are done on coefficients. Weights scale the gradients: r_i = w_i.
    """

    sums = True
    signed = True

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return the summed coefficients of all projected gradients."""
        scaled = gram * weights * weights[:, None]
        return weights * projected(scaled, self.orders(len(gram)).numpy()).sum(0)


def projected(gram: Array, orders: NDArray[np.int64]) -> Array:
    """Return the coefficients of each projected gradient as rows, (K, K).

    Args:
        gram: Gram matrix, (K, K).
        orders: Row i lists the other tasks in the order in which task i meets them.
    """
    rows = np.arange(len(gram))
    coefficients = np.eye(len(gram))
    products = gram.copy()  # of each projected gradient with each original one
    squared = np.maximum(gram.diagonal(), np.finfo(gram.dtype).tiny)
    for others in orders.T:
        conflict = np.minimum(products[rows, others], 0)
        change = conflict / squared[others]
        coefficients[rows, others] -= change
        products -= change[:, None] * gram[others]
    return coefficients
