"""Where the toy's losses are smallest, found without gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from robomtl.toy.problem import losses

_LIMIT = 11.0  # beyond, both losses only rise: CAGrad plots as much


def optimum(weights: Tensor) -> Tensor:
    """Return the global minimum of sum_i w_i L_i for each of N weights (N, 2), (N, 2) float64.

    A dense grid finds the valley, then ever finer grids around the best point the place in it.
    """
    weights = weights.double()
    coarse = _grid(441) * _LIMIT
    best = coarse[(losses(coarse) @ weights.T).argmin(0)]
    fine, width = _grid(21), 2 * _LIMIT / 440
    for _ in range(10):
        points = best[:, None] + width * fine
        values = (losses(points) * weights[:, None]).sum(-1)
        best = points[torch.arange(len(points)), values.argmin(1)]
        width /= 5
    return best


def pareto_front(count: int = 41) -> Tensor:
    """Return points of the Pareto front, from the second task's optimum to the first's, (N, 2).

    The front is convex, so each of its points is the optimum of some weights.
    """
    first = torch.linspace(0, 1, count, dtype=torch.float64)
    return optimum(torch.stack((first, 1 - first), dim=1))


def _grid(count: int) -> Tensor:
    axis = torch.linspace(-1, 1, count, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis)
