"""Auto-lambda: weights that reduce the loss after the next step (Liu et al. 2022).

Nested optimisation, Eq. 3 to 6: weights are good if a training step taken with them lowers the
validation loss of the primary tasks. With theta' = theta - alpha sum_i lambda_i g_i, the
optimiser's momentum and decay aside, theta' depends linearly on lambda, so that

    d L_val(theta') / d lambda_i = -alpha <grad L_val(theta'), g_i>

exactly. There is no second-order term: what the paper approximates by finite differences (Eq. 7)
is an inner product with a gradient that the step needs anyway. Momentum changes alpha by a factor,
and Adam by a diagonal matrix (`robomtl.methods.look_ahead`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import ClassVar

import torch
from torch import Tensor, nn

from robomtl.methods.exceptions import MissingArgumentError
from robomtl.methods.gradients import Gradients, TaskGradients
from robomtl.methods.look_ahead import LookAhead, replaced
from robomtl.methods.step import Step
from robomtl.methods.weightings.learned_weighting import LearnedWeighting
from robomtl.methods.weightings.weighting import Uses


class AutoLambda(LearnedWeighting):
    """Learns weights that lower the primary tasks' loss one step later, with exact gradients.

    Args:
        tasks: Names of the K tasks.
        primary: Names of those whose validation loss counts: all of them is multi-task
            learning, some of them auxiliary learning.
        optimiser: What trains the parameters, whose step is looked ahead to.
        initial: Initial weight of each task; the paper's 0.1.
        rate: Learning rate of Adam on the weights: the paper's for robots, 3e-5. It takes 1e-4
            and 3e-4 for dense prediction and classification.
    """

    uses: ClassVar[Uses] = "gradients"
    uses_validation: ClassVar[bool] = True

    def __init__(
        self,
        tasks: Sequence[str],
        primary: Sequence[str],
        optimiser: torch.optim.Optimizer | None,
        *,
        initial: float = 0.1,
        rate: float = 3e-5,
    ) -> None:
        super().__init__(torch.full((len(tasks),), initial, dtype=torch.float64), rate)
        self.tasks = tuple(tasks)
        self.primary = tuple(primary)
        self._look_ahead = None if optimiser is None else LookAhead(optimiser)

    def effective(self, learned: Tensor) -> Tensor:
        """Return the weights that follow from the learned numbers, (K,): themselves."""
        return learned

    def weights(self, step: Step) -> Tensor:
        """Return lambda after learning from this step's look ahead, (K,) float64.

        Nothing is learned from Adam's first step, which is our choice: the first gradient of
        lambda would be thousands of times longer than all others, and since lambda is learned by
        Adam too, they would count for nothing for as long as it remembers.

        Raises:
            MissingArgumentError: There is no optimiser or no validation batch.
            NonFiniteLossError: A loss that is looked ahead to is not finite.
            NonFiniteGradientError: A gradient is not finite, in which case nothing is learned.
        """
        if self._ahead.informative:
            self._learned.descend(self._descent(step, self.lambda_gradient(step)))
        return self.effective(self._learned.values)

    def lambda_gradient(self, step: Step) -> Tensor:
        """Return d L_val(theta') / d lambda, (K,) float64.

        Raises:
            MissingArgumentError: There is no optimiser or no validation batch.
            NonFiniteLossError: A validation loss is not finite.
        """
        current = self.effective(self._learned.values)
        return self._exact(step, step.gradients, current, self.primary)

    def _exact(
        self, step: Step, gradients: TaskGradients, current: Tensor, primary: Sequence[str]
    ) -> Tensor:
        """Return -alpha <grad L_val(theta'), g_i> for the tasks of `gradients`."""
        virtual = [*gradients.combine_for_dot(current), *gradients.weighted_own(current)]
        found = iter(self._direction(step, primary, gradients.parameters(), virtual))
        shared = list(islice(found, len(gradients.shared)))
        return gradients.dot(shared, [list(islice(found, len(group))) for group in gradients.own])

    def _direction(
        self,
        step: Step,
        primary: Sequence[str],
        parameters: Sequence[nn.Parameter],
        gradients: Gradients,
    ) -> Gradients:
        """Return the gradient of L_val(theta') with respect to the training gradient."""
        if step.validation_batch is None:
            raise MissingArgumentError(
                "Auto-lambda needs a `validation_batch`: another batch of the training set will do."
            )
        after, derivatives = self._look(step, parameters, gradients)
        with replaced(step.objective, parameters, after):
            losses = step.objective.losses(step.validation_batch, primary)
            step.check_losses(primary, losses)
            total = torch.stack(losses).sum()
            found = torch.autograd.grad(total, parameters, allow_unused=True)
        # Into the memory of derivatives, which nobody needs any more.
        return [
            None if v is None else d.mul_(v) if isinstance(d, Tensor) else v * d
            for v, d in zip(found, derivatives, strict=True)
        ]

    def _look(
        self, step: Step, parameters: Sequence[nn.Parameter], gradients: Gradients
    ) -> tuple[list[Tensor], list[Tensor | float]]:
        """Return theta', and its derivative with respect to the training gradient."""
        step.check_gradients(gradients)
        return self._ahead.step(parameters, gradients)

    @property
    def _ahead(self) -> LookAhead:
        if self._look_ahead is None:
            raise MissingArgumentError(
                "Auto-lambda looks one step of the optimiser ahead: give it as `optimiser`."
            )
        return self._look_ahead

    def _descent(self, step: Step, gradient: Tensor) -> Tensor:
        """Return the gradient with respect to the learned numbers, by the chain rule.

        It is checked: one that is not finite would stay in their Adam's averages for ever.
        """
        learned = self._learned.values.requires_grad_()
        (found,) = torch.autograd.grad(self.effective(learned), learned, gradient)
        step.check_gradients([found])
        return found
