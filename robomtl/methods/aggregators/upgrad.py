"""UPGrad: the mean of the task gradients, each bent until it hurts no task."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.nonnegative import minimise_nonnegative
from robomtl.methods.aggregators.unit import unit_gram


class UPGrad(Aggregator):
    """Projects each gradient on the cone of directions that harm no task, then averages.

    Quinton and Rey, Jacobian Descent for Multi-Objective Optimization (2024), eq. 6 and
    Proposition 1. The projection of g_i on {x: G x >= 0} is G^T v_i, where

        v_i = argmin v^T M v / 2  subject to  v >= e_i

    and alpha = sum_i w_i v_i: weights are the paper's preference vector. Linearly dependent
    gradients have many such v_i with the same projection; we return the one nearest to zero.
    """

    sums = False

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return sum_i w_i v_i."""
        alpha = weights.copy()
        with_gradient = np.flatnonzero(gram.diagonal())
        unit, lengths = unit_gram(gram[np.ix_(with_gradient, with_gradient)])
        added = projections(unit)
        pull = (weights[with_gradient] * lengths) @ added
        alpha[with_gradient] += pull / lengths
        return alpha


def projections(gram: Array) -> Array:
    """Return v_i - e_i as rows, (K, K), for a positive definite Gram matrix.

    In z = v_i - e_i >= 0, what must not be negative either is M z + M e_i, and one of both is
    zero in every component. All problems that see a conflict are solved side by side by
    exchanging, at once, every component that is on the wrong side (block principal pivoting,
    Júdice and Pires 1994). That mostly ends within five rounds but may run in circles; problems
    that need more than eight go one by one to the active-set method, which starts from there.
    """
    result = np.zeros_like(gram)
    rows = np.flatnonzero((gram < 0).any(1))
    if not len(rows):
        return result
    slack = gram[rows]
    identity = np.eye(len(gram))
    positive = slack < 0
    for _ in range(8):
        both = positive[:, :, None] & positive[:, None, :]
        system = np.where(both, gram, identity)
        z = np.linalg.solve(system, np.where(positive, -gram[rows], 0.0)[..., None])[..., 0]
        slack = z @ gram + gram[rows]
        noise = 1e-13 * (1 + np.abs(z).max(1, keepdims=True))
        wrong = np.where(positive, z, slack) < -noise
        solved = ~wrong.any(1)
        result[rows[solved]] = np.maximum(z[solved], 0)
        rows, positive, wrong = rows[~solved], positive[~solved], wrong[~solved]
        if not len(rows):
            return result
        positive = positive ^ wrong
    for row, guess in zip(rows.tolist(), positive, strict=True):
        support = np.flatnonzero(guess).tolist()
        result[row], _ = minimise_nonnegative(gram, -gram[row], support)
    return result
