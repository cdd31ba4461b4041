"""CAGrad: near the mean gradient, the update that is best for the task worst off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.exceptions import SolverError
from robomtl.methods.aggregators.nonnegative import minimise_nonnegative
from robomtl.methods.aggregators.unit import STATIONARY, unit_gram
from robomtl.methods.exceptions import MethodError


@dataclass(frozen=True, kw_only=True)
class CAGrad(Aggregator):
    """Stays near the mean gradient and helps the task that gains least.

    Liu et al., Conflict-Averse Gradient Descent (NeurIPS 2021), eq. 2 and 3: with
    g_0 = sum_i w_i g_i,

        max_d min_i g_i . d  subject to  |d - g_0| <= c |g_0|

    Weights are the w of g_0, 1 / K in the paper. We solve it from the primal side: the shortest
    p = d - g_0 with g_i . d >= mu for all i is a quadratic programme, and mu is raised until
    |p| = c |g_0|. That needs no division by |g_w|, the paper's convex combination of gradients.

    Where the paper is silent: tasks without gradient have no say in the minimum. At a
    Pareto-stationary point (g_w = 0 to within `STATIONARY`) many d may be optimal; we take the
    one nearest to g_0, which hurts no task. There, the authors' code stays at g_0, and TorchJD
    stops.

    Raises:
        MethodError: `c` is negative.
    """

    sums = False

    c: float = 0.4
    """Radius of the ball around g_0, relative to |g_0|; 0 gives g_0 itself."""

    def __post_init__(self) -> None:
        if not self.c >= 0:
            raise MethodError(f"CAGrad's c must not be negative, but is {self.c}.")

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return w plus the coefficients of p."""
        alpha = weights.copy()
        radius = self.c * math.sqrt(max(0.0, float(weights @ gram @ weights)))
        if radius == 0:
            return alpha
        tasks = np.flatnonzero(gram.diagonal())
        unit, lengths = unit_gram(gram[np.ix_(tasks, tasks)])
        gains = unit @ (lengths * weights[tasks])
        alpha[tasks] += best_change(unit, 1 / lengths, gains / radius) * radius / lengths
        return alpha


def best_change(unit: Array, demand: Array, gains: Array) -> Array:
    """Return z >= 0 of the unit vector p = sum_i z_i u_i that raises the smallest gain most, (K,).

    For a level mu, let p(mu) be the shortest p with gains_i + u_i . p >= mu demand_i for all i.
    Its length is convex and rises with mu, and wherever the same constraints hold with equality
    its square is a quadratic in mu. So the level at which it is 1 is the root of that quadratic,
    or lies where the constraints differ: then the root for those is tried, or else the middle of
    the bracket.

    Args:
        unit: Gram matrix of unit vectors u_i, positive definite, (K, K).
        demand: What a level asks of each, positive, (K,).
        gains: What each has at p = 0, (K,).

    Raises:
        SolverError: The level was not found.
    """
    demand = demand / demand.min()
    low = float((gains / demand).min())
    # Where one task alone decides, this bound is the level: rounding must not exclude it.
    high = float(((gains + 1 + 1e-9) / demand).min())
    support = list(range(len(gains)))
    sides = np.stack((demand, gains), 1)
    smallest = 1e-16 / float(demand.max())
    for attempt in range(200):
        root = _level_of_unit_length(unit, sides, support)
        level = root if low < root < high and attempt < 50 else (low + high) / 2
        linear = level * demand - gains
        z, entered = minimise_nonnegative(unit, linear, support)
        squared = float(z @ linear)
        exact = level == root and set(entered) == set(support)
        if exact or high - low <= max(smallest, 1e-15 * max(abs(low), abs(high))):
            break
        low, high = (level, high) if squared < 1 else (low, level)
        support = entered or [int((gains / demand).argmin())]
    else:
        raise SolverError(f"CAGrad found no level for {unit}, {demand}, {gains}.")
    if z.max() * STATIONARY > 1:
        harmless, _ = minimise_nonnegative(unit, -gains)
        if harmless @ -gains <= 1:
            return harmless
    return z


def _level_of_unit_length(unit: Array, sides: Array, support: list[int]) -> float:
    """Return the level at which p has length 1 if the constraints in the support are tight.

    Args:
        unit: As in `best_change`.
        sides: Its demand and gains, (K, 2).
        support: Numbers of the constraints.
    """
    sides = sides[support]
    solved = np.linalg.solve(unit.take(support, 0).take(support, 1), sides)
    (a, b), (_, c) = (sides.T @ solved).tolist()
    discriminant = b * b - a * (c - 1)
    return (b + math.sqrt(discriminant)) / a if discriminant >= 0 else math.nan
