"""Uncertainty weighting: weights from a learned noise level of each task (Kendall et al. 2018)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from robomtl.methods.step import Step
from robomtl.methods.weightings.exceptions import require_positive
from robomtl.methods.weightings.learned_weighting import LearnedWeighting

_ROUNDING = 1e-6


class Uncertainty(LearnedWeighting):
    """Learns log standard deviations s that minimise sum_i lambda_i L_i + s_i.

    lambda_i = exp(-2 s_i) / 2, with the standard deviation sigma_i = exp(s_i) of task i's noise.
    The derivative is 1 - 2 lambda_i L_i, so weights tend to 1 / (2 L_i). The weights of a step are
    those learned before it.

    Losses must not be negative, as the squared distances and cross entropies of the paper are not:
    for a negative one s would fall for ever. One of 0 may be had, up to rounding.

    The paper trains s with the network, by the same optimiser. Here an Adam of its own moves s:
    weight decay would pull all weights towards 1/2, and the rate of SGD may be far too high for s.

    Args:
        count: K, the number of tasks.
        rate: Learning rate of s. The default is that of the network in Auto-lambda's robotics
            experiment, 1e-3, by which s is moved when it is trained along.
        initial: Initial lambda of each task; 1, our choice, starts from the sum of the losses.
    """

    def __init__(self, count: int, *, rate: float = 1e-3, initial: float = 1.0) -> None:
        start = -math.log(2 * initial) / 2
        super().__init__(torch.full((count,), start, dtype=torch.float64), rate)

    def weights(self, step: Step) -> Tensor:
        """Return lambda, (K,) float64, then learn from the losses.

        Raises:
            NonPositiveLossError: A loss is negative: nothing bounds its weight.
        """
        tasks = step.objective.tasks
        require_positive("Uncertainty weighting", tasks, step.losses, bound=-_ROUNDING)
        current = (-2 * self._learned.values).exp() / 2
        self._learned.descend(1 - 2 * current * step.losses)
        return current
