"""Nash-MTL: gradients combined as players of a bargaining game agree."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.fair_point import fair_point
from robomtl.methods.aggregators.unit import unit_gram


class NashMTL(Aggregator):
    """Lets tasks bargain for the update: the product of their gains is as large as it can be.

    Navon et al., Multi-Task Learning as a Bargaining Game (ICML 2022), Claim 3.1:

        (M alpha)_i = w_i / alpha_i,  alpha > 0

    Weights are bargaining powers (Shamsian et al., Auxiliary Learning as an Asymmetric
    Bargaining Game, ICML 2023, do the same), 1 in the paper; a task of power 0, or without
    gradient, is not at the table and gets 0. Then |G^T alpha|^2 = sum_i w_i, whatever the size
    of the gradients. The authors' code solves this approximately (a sequence of convex
    programmes that start from the last step's answer) and cuts the update to norm 1; we solve
    it exactly, keep no state and cut nothing, which changes the update's length only.

    At a Pareto-stationary point there is no solution (the paper assumes none is met): alpha is
    then 0, because no update helps every task. See `fair_point`.
    """

    sums = True

    @property
    def degree(self) -> float:
        """Coefficients go with the inverse length of the gradients."""
        return -0.5

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return the bargaining solution."""
        alpha = np.zeros_like(weights)
        players = np.flatnonzero((gram.diagonal() > 0) & (weights > 0))
        if len(players):
            unit, lengths = unit_gram(gram[np.ix_(players, players)])
            alpha[players] = fair_point(unit, weights[players], 1.0) / lengths
        return alpha
