"""What a weighting may see of the step that it weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from robomtl.methods.gradients import Gradients, TaskGradients
from robomtl.methods.objective import Objective


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of training, up to where the tasks are weighed.

    Attributes:
        objective: The problem.
        batch: What its losses were computed from.
        validation_batch: Another batch, if the caller gave one.
        losses: The K losses, (K,) float64 without gradient.
        check_losses: Raises if any loss, of the tasks and losses it is given, is not finite.
        check_gradients: Raises if any gradient that it is given is not finite.
        graph: The K losses as tensors that can still be differentiated. Empty where the step
            has `task_gradients`.
        task_gradients: Gradient of each task, for weightings that declare to use them.
    """

    objective: Objective
    batch: Any
    validation_batch: Any
    losses: Tensor
    check_losses: Callable[[Sequence[str], Sequence[Tensor]], None]
    check_gradients: Callable[[Gradients], None]
    graph: Sequence[Tensor] = ()
    task_gradients: TaskGradients | None = None

    @property
    def gradients(self) -> TaskGradients:
        """The gradients of a step that has them."""
        assert self.task_gradients is not None, "declare what the weighting uses"
        return self.task_gradients

    @property
    def gram(self) -> Tensor:
        """Inner products of the task gradients, (K, K) float64."""
        return self.gradients.gram
