"""Auto-lambda as the paper computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from robomtl.methods.gradients import Gradients
from robomtl.methods.look_ahead import replaced
from robomtl.methods.objective import shared_parameters, task_parameters
from robomtl.methods.step import Step
from robomtl.methods.weightings.auto_lambda import AutoLambda
from robomtl.methods.weightings.weighting import Uses


class FiniteDifferenceAutoLambda(AutoLambda):
    """Auto-lambda with the paper's finite difference, for comparison (Eq. 7).

    With v = grad L_val(theta'), the gradient is -alpha (L(theta + eps v) - L(theta - eps v)) /
    (2 eps) for each training loss, eps = 0.01 / |v|. Where losses bend within eps it is off, and
    in bfloat16 it drowns in rounding.
    """

    uses: ClassVar[Uses] = "losses"

    def lambda_gradient(self, step: Step) -> Tensor:
        """Return an approximation of d L_val(theta') / d lambda, (K,) float64."""
        current = self.effective(self._learned.values)
        objective = step.objective
        own = [task_parameters(objective, task) for task in self.tasks]
        parameters = [*shared_parameters(objective), *(p for group in own for p in group)]
        virtual = self._virtual(step, parameters, current)
        found = self._direction(step, self.primary, parameters, virtual)
        direction = [
            torch.zeros_like(p) if v is None else v for p, v in zip(parameters, found, strict=True)
        ]
        norm = torch.stack(torch._foreach_norm(direction)).norm()
        step.check_gradients([norm])
        length = float(norm)
        if length == 0:
            return torch.zeros(len(self.tasks), dtype=torch.float64)
        epsilon = 0.01 / length
        forward, backward = (
            self._losses_at(step, parameters, direction, sign * epsilon) for sign in (1, -1)
        )
        return (forward - backward) / (2 * epsilon)

    def _virtual(
        self, step: Step, parameters: Sequence[nn.Parameter], current: Tensor
    ) -> Gradients:
        """Return the gradient of the weighted losses; an aggregator asks for each task's."""
        if step.task_gradients is not None:
            gradients = step.task_gradients
            return [*gradients.combine(current), *gradients.weighted_own(current)]
        total = (torch.stack(list(step.graph)) * current.to(step.graph[0])).sum()
        return torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)

    @torch.no_grad()
    def _losses_at(
        self,
        step: Step,
        parameters: Sequence[nn.Parameter],
        direction: Sequence[Tensor],
        length: float,
    ) -> Tensor:
        moved = [p + length * v for p, v in zip(parameters, direction, strict=True)]
        with replaced(step.objective, parameters, moved):
            losses = step.objective.losses(step.batch, self.tasks)
        step.check_losses(self.tasks, losses)
        return torch.stack(losses).cpu().double()
