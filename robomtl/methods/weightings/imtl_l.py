"""IMTL-L: weights under which all losses are of the same size (Liu et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from robomtl.methods.step import Step
from robomtl.methods.weightings.exceptions import require_positive
from robomtl.methods.weightings.learned_weighting import LearnedWeighting


class IMTLL(LearnedWeighting):
    """Learns s that minimise sum_i exp(s_i) L_i - s_i; lambda_i = exp(s_i).

    "Towards Impartial Multi-task Learning", loss balance with base e. The derivative is
    lambda_i L_i - 1, so weights tend to 1 / L_i. The weights of a step are those learned before
    it. The paper trains s with the network; here an Adam of its own moves it, without weight decay.

    Args:
        count: K, the number of tasks.
        rate: Learning rate of s; as that of uncertainty weighting.
    """

    def __init__(self, count: int, *, rate: float = 1e-3) -> None:
        super().__init__(torch.zeros(count, dtype=torch.float64), rate)

    def weights(self, step: Step) -> Tensor:
        """Return lambda, (K,) float64, then learn from the losses.

        Raises:
            NonPositiveLossError: A loss is not positive: its best weight is infinite.
        """
        require_positive("IMTL-L", step.objective.tasks, step.losses)
        current = self._learned.values.exp()
        self._learned.descend(current * step.losses - 1)
        return current
