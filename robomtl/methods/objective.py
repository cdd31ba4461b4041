"""The seam between problems and methods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from torch import Tensor, nn


class Objective(Protocol):
    """K task losses over shared and task-specific parameters: all that a method sees.

    Attributes:
        tasks: Names of the K tasks.
    """

    tasks: tuple[str, ...]

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters that several tasks use."""
        ...

    def task_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Return the parameters that only `task` uses."""
        ...

    def losses(self, batch: Any) -> list[Tensor]:
        """Return the K scalar losses in task order. The batch holds samples of every task."""
        ...


def parameters(objective: Objective) -> list[nn.Parameter]:
    """Return all parameters of an objective: shared ones, then each task's own."""
    own = (objective.task_parameters(task) for task in objective.tasks)
    return [*objective.shared_parameters(), *(p for group in own for p in group)]
