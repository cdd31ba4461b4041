"""FAMO: weights under which all losses fall at the same relative speed (Liu et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from robomtl.methods.gradients import detached
from robomtl.methods.objective import Objective
from robomtl.methods.statistics import kept_statistics
from robomtl.methods.step import Step
from robomtl.methods.weightings.exceptions import require_positive
from robomtl.methods.weightings.learned_weighting import LearnedWeighting


@dataclass(frozen=True, kw_only=True)
class _Pending:
    """A step whose effect on its own batch is still to be seen."""

    objective: Objective
    batch: Any
    losses: Tensor
    check_losses: Callable[[Sequence[str], Sequence[Tensor]], None]


class FAMO(LearnedWeighting):
    """Learns logits xi such that no task's log loss falls slower than the others'.

    With z = softmax(xi), lambda_i is proportional to z_i / L_i and sums to 1: the gradient is
    that of sum_i z_i log L_i, up to a factor. After the parameters have moved, Adam descends
    along delta + gamma xi, where delta is the derivative of sum_i z_i (log L_i - log L_i') by xi
    and L' are the losses on the same batch at the new parameters. "FAMO: Fast Adaptive Multitask
    Optimization", Algorithm 2.

    L' takes another forward pass. It is made at the start of the next step, or when the state is
    saved, whichever comes first, by when the optimiser must have stepped. Until then the batch is
    kept, and must not be written to. Buffers such as batch norm's are put back afterwards.

    Args:
        count: K, the number of tasks.
        rate: Learning rate of Adam on xi; 0.025 as in the authors' code.
        decay: gamma; the paper's 1e-3.
    """

    def __init__(self, count: int, *, rate: float = 0.025, decay: float = 1e-3) -> None:
        super().__init__(torch.zeros(count, dtype=torch.float64), rate)
        self.decay = decay
        self._pending: _Pending | None = None

    def weights(self, step: Step) -> Tensor:
        """Learn from what the last step did, then return lambda, (K,) float64.

        Raises:
            NonPositiveLossError: A loss is not positive, so that it has no logarithm.
            NonFiniteLossError: A loss of the last batch is not finite any more.
        """
        self._settle()
        require_positive("FAMO", step.objective.tasks, step.losses)
        self._pending = _Pending(
            objective=step.objective,
            batch=step.batch,
            losses=step.losses,
            check_losses=step.check_losses,
        )
        weights = self._learned.values.softmax(0) / step.losses
        return weights / weights.sum()

    def _settle(self) -> None:
        """Learn from the last step, if that has not been done."""
        if self._pending is None:
            return
        objective, tasks = self._pending.objective, self._pending.objective.tasks
        with torch.no_grad(), kept_statistics(objective):
            found = objective.losses(self._pending.batch, tasks)
        self._pending.check_losses(tasks, found)
        losses = detached(found)
        require_positive("FAMO", tasks, losses)
        progress = self._pending.losses.log() - losses.log()
        z = self._learned.values.softmax(0)
        gradient = z * (progress - z @ progress)
        self._learned.descend(gradient + self.decay * self._learned.values)
        self._pending = None

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs, after learning from the last step."""
        self._settle()
        return super().state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        super().load_state_dict(state)
        self._pending = None
