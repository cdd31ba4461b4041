"""OL-AUX: auxiliary tasks gain weight while they help the main one (Lin et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from robomtl.methods.step import Step
from robomtl.methods.weightings.exceptions import require_positive
from robomtl.methods.weightings.weighting import Uses, Weighting


class OnlineAuxiliary(Weighting):
    """Learns weights of auxiliary tasks along the products of their gradients with the main one.

    "Adaptive Auxiliary Task Weighting for Reinforcement Learning". The network minimises
    log L_main + sum_i w_i log L_i; every N steps w_i grows by alpha beta times the sum over
    these steps of <grad log L_i, grad log L_main>, by how much a step of rate alpha along task i
    lowers the main loss, to first order. The weights start at 1, and as in the authors' code none
    falls below 0. The gradient of a logarithm is g_i / L_i, so lambda_i = w_i / L_i.

    With several primary tasks, L_main is the sum of their losses, our choice. The authors' code
    adds 0.02 to auxiliary losses before the logarithm; here to the main one too, since its weight
    would grow beyond all bounds as it is learned. That code multiplies with the gradient of the
    whole weighted sum, here as in the method's derivation with that of the main loss alone; and
    it averages gradients over four steps before, for which all of them would have to be kept.
    Products are over all shared parameters.

    Args:
        tasks: Names of the K tasks.
        primary: Names of those that matter in the end.
        rate: alpha beta. The default takes the authors' beta = 5 and, for alpha, the 1e-3 by which
            networks are trained here.
        every: N, steps between updates of the weights; the authors' 5.
        offset: What is added to losses before the logarithm.
    """

    uses: ClassVar[Uses] = "gram"

    def __init__(
        self,
        tasks: Sequence[str],
        primary: Sequence[str],
        *,
        rate: float = 5e-3,
        every: int = 5,
        offset: float = 0.02,
    ) -> None:
        self.rate = rate
        self.every = every
        self.offset = offset
        self._primary = torch.tensor([task in primary for task in tasks])
        self._learned = torch.ones(len(tasks), dtype=torch.float64)
        self._sum = torch.zeros_like(self._learned)
        self._seen = 0

    def weights(self, step: Step) -> Tensor:
        """Return lambda, (K,) float64, then learn from the gradients.

        Raises:
            NonPositiveLossError: A loss has no logarithm, even with the offset.
            NonFiniteGradientError: A gradient is not finite.
        """
        require_positive("OL-AUX", step.objective.tasks, step.losses, bound=-self.offset)
        step.check_gradients([step.gram])
        main = step.losses[self._primary].sum()
        scale = 1 / (torch.where(self._primary, main, step.losses) + self.offset)
        current = self._learned * scale
        products = step.gram * scale.outer(scale)
        self._sum = self._sum + products[:, self._primary].sum(1)
        self._seen += 1
        if self._seen == self.every:
            change = torch.where(self._primary, 0.0, self.rate * self._sum)
            self._learned = (self._learned + change).clamp(min=0)
            self._sum = torch.zeros_like(self._sum)
            self._seen = 0
        return current

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {"learned": self._learned, "sum": self._sum, "seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._learned = state["learned"]
        self._sum = state["sum"]
        self._seen = state["seen"]
