"""One weighting and one aggregator, of which either may be missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robomtl.methods.aggregators import Aggregator, GradDrop, NonFiniteGramError
from robomtl.methods.exceptions import (
    NonFiniteGradientError,
    NonFiniteLossError,
    UnsuitableObjectiveError,
)
from robomtl.methods.gradients import (
    GradientBuffer,
    GradientMatrix,
    Gradients,
    TaskGradients,
    detached,
)
from robomtl.methods.objective import (
    Objective,
    SharedRepresentation,
    parameters,
    shared_parameters,
)
from robomtl.methods.record import Record
from robomtl.methods.representation import RepresentationGradients
from robomtl.methods.step import Step
from robomtl.methods.weightings import Weighting


class Combination:
    """Fills `.grad` with sum_i alpha_i g_i for shared parameters and lambda_i g_i for own ones.

    The weighting chooses lambda. The aggregator makes alpha of the Gram matrix of the task
    gradients and of lambda; without one, alpha = lambda. Without a weighting, the aggregator's
    default weights count.

    Args:
        tasks: Names of the K tasks.
        weighting: How much each task counts.
        aggregator: How gradients of shared parameters are reconciled.
        at_representation: Whether the aggregator works on gradients with respect to the shared
            representation instead of the shared parameters: the upper bounds MGDA-UB (Sener and
            Koltun 2018) and Aligned-MTL-UB (Senushkin et al. 2023, section 5.2), and IAL.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        weighting: Weighting | None,
        aggregator: Aggregator | None = None,
        *,
        at_representation: bool = False,
    ) -> None:
        if weighting is None and aggregator is None:
            raise ValueError("A method needs a weighting or an aggregator.")
        self.tasks = tuple(tasks)
        self.weighting = weighting
        self.aggregator = aggregator
        self.at_representation = at_representation
        self.step = 0
        self._buffer = GradientBuffer()

    @property
    def uses_validation(self) -> bool:
        """Whether `backward` needs a validation batch."""
        return self.weighting is not None and self.weighting.uses_validation

    def backward(self, objective: Objective, batch: Any, validation_batch: Any = None) -> Record:
        """Set every parameter's `.grad`, or none if anything is not finite.

        A parameter that no task uses gets None, as an ordinary backward pass would leave it.

        Args:
            objective: The problem; its tasks must be the method's.
            batch: What the objective computes its losses from.
            validation_batch: What Auto-lambda looks ahead on; other methods ignore it.

        Raises:
            NonFiniteLossError: A loss is NaN or infinite.
            NonFiniteGradientError: A gradient is.
            UnsuitableObjectiveError: The tasks are not the method's, or the method needs a shared
                representation, or shared parameters that are trained, and there is none.
            OverlappingParametersError: A parameter belongs to a task and to others too.
        """
        if tuple(objective.tasks) != self.tasks:
            raise UnsuitableObjectiveError(
                f"The objective's tasks are {list(objective.tasks)}, "
                f"the method's are {list(self.tasks)}."
            )
        targets = parameters(objective)
        if self.aggregator is None and self.weighting and self.weighting.uses == "losses":
            found, record = self._from_losses(objective, batch, validation_batch, targets)
        else:
            found, record = self._from_gradients(objective, batch, validation_batch)
        overlapping = _overlapping(found)
        for number, (target, gradient) in enumerate(zip(targets, found, strict=True)):
            target.grad = _laid_out_like(target, gradient, copied=number in overlapping)
        self.step += 1
        return record

    def _from_losses(
        self,
        objective: Objective,
        batch: Any,
        validation_batch: Any,
        targets: Sequence[nn.Parameter],
    ) -> tuple[Gradients, Record]:
        """Take one backward pass of the weighted sum of losses."""

        def check_gradients(found: Gradients) -> None:
            if not _finite(found):
                again = self._buffer.compute(objective, batch, lambda losses: None)
                raise NonFiniteGradientError(_broken(again), self.step)

        assert self.weighting is not None
        losses = objective.losses(batch, self.tasks)
        stacked = torch.stack(losses)
        values = stacked.detach().cpu().double()
        self._check_values(self.tasks, values)
        step = Step(
            objective=objective,
            batch=batch,
            validation_batch=validation_batch,
            losses=values,
            check_losses=self._check_losses,
            check_gradients=check_gradients,
            graph=losses,
        )
        weights = self.weighting.weights(step)
        total = (weights.to(stacked) * stacked).sum()
        found = torch.autograd.grad(total, targets, allow_unused=True)
        check_gradients(found)
        return found, self._record(step.losses, weights, weights, None)

    def _from_gradients(
        self, objective: Objective, batch: Any, validation_batch: Any
    ) -> tuple[Gradients, Record]:
        """Take a backward pass for each task, or what amounts to it."""

        def check_gradients(found: Gradients) -> None:
            if not _finite(found):
                raise NonFiniteGradientError(_broken(gradients), self.step)

        gradients = self._task_gradients(objective, batch)
        step = Step(
            objective=objective,
            batch=batch,
            validation_batch=validation_batch,
            losses=gradients.losses,
            check_losses=self._check_losses,
            check_gradients=check_gradients,
            task_gradients=gradients,
        )
        weights = None if self.weighting is None else self.weighting.weights(step)
        if self.aggregator is None:
            assert weights is not None
            alpha, shared = weights, gradients.combine(weights)
        else:
            weights, alpha, shared = self._aggregate(gradients, weights)
        own = gradients.weighted_own(weights)
        gram = gradients.known_gram
        # Where the Gram matrix is finite, so is whatever it was made of: gradients, or those of a
        # representation, which the encoder's are not known from.
        finite = gram is not None and bool(gram.isfinite().all())
        known = finite and isinstance(gradients, GradientMatrix)
        check_gradients(own if known else [*shared, *own])
        return [*shared, *own], self._record(gradients.losses, weights, alpha, gram)

    def _task_gradients(self, objective: Objective, batch: Any) -> TaskGradients:
        def check(losses: Sequence[Tensor]) -> None:
            self._check_losses(self.tasks, losses)

        encoded = isinstance(objective, SharedRepresentation)
        if self.at_representation and not encoded:
            raise UnsuitableObjectiveError(
                "This method works on the gradients of a shared representation, and the objective "
                "has none: it needs `encode` and `decode`."
            )
        compares = self.aggregator or (self.weighting and self.weighting.uses == "gram")
        if compares and not shared_parameters(objective):
            raise UnsuitableObjectiveError(
                "This method compares the tasks' gradients of the parameters that they share, and "
                "the tasks of this objective share none that is trained."
            )
        # Without an aggregator only sums and products of gradients are asked for, which the chain
        # rule gives from those of the representation. It takes as long as five backward passes
        # through the encoder would.
        combines = self.weighting and self.weighting.uses == "gradients" and not self.aggregator
        combines = combines and len(self.tasks) > 5
        if encoded and (self.at_representation or combines):
            return RepresentationGradients(objective, batch, check)
        return self._buffer.compute(objective, batch, check)

    def _aggregate(
        self, gradients: TaskGradients, weights: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """Return lambda, alpha, and what the shared parameters get."""
        assert self.aggregator is not None
        if weights is not None and not self.aggregator.signed:
            # Learned weights may turn negative, which has no meaning here.
            weights = weights.clamp(min=0)
        known = self.aggregator.default_weights(len(self.tasks)) if weights is None else weights
        try:
            if isinstance(self.aggregator, GradDrop):
                return known, known, self._drop(self.aggregator, gradients, weights)
            alpha = self.aggregator(gradients.gram, weights)
        except NonFiniteGramError as error:
            raise NonFiniteGradientError(_broken(gradients), self.step) from error
        return known, alpha, gradients.combine(alpha)

    def _drop(
        self, aggregator: GradDrop, gradients: TaskGradients, weights: Tensor | None
    ) -> list[Tensor | None]:
        assert isinstance(gradients, GradientMatrix)
        found = aggregator.combine(gradients.blocks, weights)
        return [g if used else None for g, used in zip(found, gradients.used, strict=True)]

    def _record(
        self, losses: Tensor, weights: Tensor, alpha: Tensor, gram: Tensor | None
    ) -> Record:
        def named(values: Tensor) -> dict[str, float]:
            return dict(zip(self.tasks, values.tolist(), strict=True))

        return Record(
            losses=named(losses), weights=named(weights), coefficients=named(alpha), gram=gram
        )

    def _check_losses(self, tasks: Sequence[str], losses: Sequence[Tensor]) -> None:
        self._check_values(tasks, detached(losses))

    def _check_values(self, tasks: Sequence[str], losses: Tensor) -> None:
        named = zip(tasks, losses.tolist(), strict=False)
        broken = {task: loss for task, loss in named if not math.isfinite(loss)}
        if broken:
            raise NonFiniteLossError(broken, self.step)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {
            "step": self.step,
            "weighting": self.weighting.state_dict() if self.weighting else {},
            "aggregator": self.aggregator.state_dict() if self.aggregator else {},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.step = state["step"]
        if self.weighting:
            self.weighting.load_state_dict(state["weighting"])
        if self.aggregator:
            self.aggregator.load_state_dict(state["aggregator"])


def _laid_out_like(
    parameter: nn.Parameter, gradient: Tensor | None, *, copied: bool
) -> Tensor | None:
    """Return a gradient that lies in memory as its parameter does; a copy where asked for.

    Fused optimisers go through both in the order of memory, whatever their strides say.
    """
    if gradient is None or (gradient.stride() == parameter.stride() and not copied):
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def _overlapping(gradients: Gradients) -> set[int]:
    """Return the numbers of gradients that lie where an earlier one in memory lies.

    A graph may hand the same memory to several parameters, as that of a sum does. Each needs its
    own, since what comes next may change it in place.
    """
    spans = sorted(
        (gradient.data_ptr(), gradient.nbytes, number)
        for number, gradient in enumerate(gradients)
        if gradient is not None
    )
    found, end = set(), 0
    for start, size, number in spans:
        if start < end:
            found.add(number)
        end = max(end, start + size)
    return found


def _finite(gradients: Gradients) -> bool:
    used = [g for g in gradients if g is not None]
    return not used or bool(torch.stack(torch._foreach_norm(used)).sum().isfinite())


def _broken(gradients: TaskGradients) -> list[str]:
    """Return the tasks whose gradients are not finite; all of them if the fault is in their sum."""
    finite = gradients.gram.diagonal().isfinite().tolist()
    own = [
        all(g is None or bool(g.isfinite().all()) for g in group)
        for group in gradients.own_gradients
    ]
    broken = [
        task for task, *fine in zip(gradients.tasks, finite, own, strict=True) if not all(fine)
    ]
    return broken or list(gradients.tasks)
