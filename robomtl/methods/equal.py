"""Equal weighting: every task counts the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from robomtl.methods.exceptions import NonFiniteLossError
from robomtl.methods.objective import Objective, parameters
from robomtl.methods.record import Record


class Equal:
    """Minimises the mean of the task losses, (1 / K) sum_i L_i.

    Args:
        tasks: Names of the K tasks.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self.step = 0

    def backward(self, objective: Objective, batch: Any, validation_batch: Any = None) -> Record:
        """Set every parameter's `.grad` to the gradient of the mean loss.

        Args:
            objective: The problem.
            batch: What the objective computes its losses from.
            validation_batch: Not used by this method.

        Raises:
            NonFiniteLossError: A loss is NaN or infinite. Gradients are left as they were.
        """
        losses = torch.stack(objective.losses(batch))
        values = dict(zip(self.tasks, losses.detach().tolist(), strict=True))
        broken = {task: loss for task, loss in values.items() if not math.isfinite(loss)}
        if broken:
            raise NonFiniteLossError(broken, self.step)
        for parameter in parameters(objective):
            parameter.grad = None
        losses.mean().backward()
        self.step += 1
        return Record(losses=values, weights=dict.fromkeys(self.tasks, 1 / len(self.tasks)))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.step = state["step"]
