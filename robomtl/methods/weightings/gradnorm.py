"""GradNorm: weights that make tasks learn at similar rates (Chen et al. 2018)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from robomtl.methods.step import Step
from robomtl.methods.weightings.exceptions import require_positive
from robomtl.methods.weightings.learned_weighting import LearnedWeighting
from robomtl.methods.weightings.weighting import Uses


class GradNorm(LearnedWeighting):
    """Learns weights that bring gradient norms to a target that follows training rates.

    With n_i = |g_i|, G_i = w_i n_i and r_i = (L_i / L_i(0)) / mean_j (L_j / L_j(0)), the weights
    minimise sum_i |G_i - mean_j(G_j) r_i^alpha| (Eq. 1 and 2), the target held constant. The
    derivative is n_i sign(G_i - target_i). After each step weights are scaled to sum to K. The
    weights of a step are those learned before it, as in the paper's Algorithm 1.

    The paper takes norms over the last shared layer, to save time; here they are over all shared
    parameters, which needs no layer to be named. Weights are kept from turning negative, which
    the paper does not mention. L_i(0) is the loss of the first step.

    Args:
        count: K, the number of tasks.
        alpha: How strongly slow tasks are pulled; 1.5 is usual for NYUv2. With 0 all norms are
            brought to the same.
        rate: Learning rate of Adam on w, our choice: that of FAMO.
    """

    uses: ClassVar[Uses] = "gram"

    def __init__(self, count: int, *, alpha: float = 1.5, rate: float = 0.025) -> None:
        super().__init__(torch.ones(count, dtype=torch.float64), rate)
        self.alpha = alpha
        self._initial: Tensor | None = None

    def weights(self, step: Step) -> Tensor:
        """Return lambda, (K,) float64, then learn from losses and gradient norms.

        Raises:
            NonPositiveLossError: A loss is not positive, so that its ratios say nothing.
            NonFiniteGradientError: A gradient is not finite.
        """
        require_positive("GradNorm", step.objective.tasks, step.losses)
        step.check_gradients([step.gram])
        if self._initial is None:
            self._initial = step.losses
        current = self._learned.values
        norms = step.gram.diagonal().sqrt()
        self._learned.descend(self._gradient(current, norms, step.losses / self._initial))
        learned = self._learned.values.clamp(min=0)
        self._learned.values = learned * len(learned) / learned.sum()
        return current

    def _gradient(self, weights: Tensor, norms: Tensor, ratios: Tensor) -> Tensor:
        """Return the derivative of GradNorm's loss with respect to the weights, (K,)."""
        weighted = weights * norms
        targets = weighted.mean() * (ratios / ratios.mean()) ** self.alpha
        return norms * (weighted - targets).sign()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {**super().state_dict(), "initial": self._initial}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        super().load_state_dict(state)
        self._initial = state["initial"]
