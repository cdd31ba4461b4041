"""FairGrad: gradients combined so that the tasks' gains are alpha-fair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.fair_point import fair_point
from robomtl.methods.aggregators.unit import unit_gram
from robomtl.methods.exceptions import MethodError


@dataclass(frozen=True, kw_only=True)
class FairGrad(Aggregator):
    """Shares the progress alpha-fairly among the tasks, between sum and max-min.

    Ban and Ji, Fair Resource Allocation in Multi-Task Learning (ICML 2024): maximise the utility
    sum_i w_i u_i^(1 - fairness) / (1 - fairness) of the gains u_i = g_i . d over all d of one
    length. The gradient of the utility is then a multiple of d = G^T alpha, which gives (eq. 4
    for w = 1)

        (M alpha)_i = (w_i / alpha_i)^(1 / fairness),  alpha > 0

    Fairness 1 is Nash-MTL. A task of weight 0 or without gradient gets 0. Pareto-stationary
    points have no solution and are treated as in Nash-MTL.

    Raises:
        MethodError: `fairness` is not positive.
    """

    sums = True

    fairness: float = 2.0
    """The paper's alpha, 2 in the authors' runs on MT10 and QM9.

    Towards 0 the sum of gains counts, towards infinity the smallest gain."""

    def __post_init__(self) -> None:
        if not self.fairness > 0:
            raise MethodError(f"FairGrad's fairness must be positive, not {self.fairness}.")

    @property
    def degree(self) -> float:
        """Coefficients scale as |g|^(-2 fairness / (1 + fairness))."""
        return -self.fairness / (1 + self.fairness)

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return the alpha-fair coefficients."""
        alpha = np.zeros_like(weights)
        players = np.flatnonzero((gram.diagonal() > 0) & (weights > 0))
        if len(players):
            unit, lengths = unit_gram(gram[np.ix_(players, players)])
            power = 1 / self.fairness
            gains = weights[players] ** power * lengths ** (power - 1)
            alpha[players] = fair_point(unit, gains, power) / lengths
        return alpha
