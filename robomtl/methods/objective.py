"""The seam between problems and methods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from robomtl.methods.exceptions import OverlappingParametersError


class Objective(Protocol):
    """K task losses over shared and task-specific parameters: all that a method sees.

    Attributes:
        tasks: Names of the K tasks.
        multi_domain: Whether each task has samples of its own, so that the losses of some tasks
            cost no more than their share of all. Otherwise all tasks look at the same samples.
    """

    tasks: tuple[str, ...]
    multi_domain: bool

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters that several tasks use."""
        ...

    def task_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Return the parameters that only `task` uses."""
        ...

    def losses(self, batch: Any, tasks: Sequence[str]) -> list[Tensor]:
        """Return the scalar loss of each of `tasks`, and compute nothing for the others."""
        ...


@runtime_checkable
class StackedObjective(Protocol):
    """A multi-domain objective whose network sees the samples of all tasks in one batch.

    Its task gradients come from one forward and one backward pass (`robomtl.methods.taskwise`).
    That needs layers that treat each sample by itself, so no batch norm.
    """

    def counts(self, batch: Any, tasks: Sequence[str]) -> list[int]:
        """Return the samples of each of `tasks`; `losses` sees them in this order."""
        ...


@runtime_checkable
class SharedRepresentation(Protocol):
    """A single-domain objective in which all tasks start from one encoder's output."""

    def encode(self, batch: Any) -> Sequence[Tensor]:
        """Return the shared representation: one tensor, or several."""
        ...

    def decode(self, representation: Sequence[Tensor], batch: Any, task: str) -> Tensor:
        """Return the scalar loss of `task`, which sees the inputs through the representation."""
        ...


@runtime_checkable
class RunningStatistics(Protocol):
    """An objective whose forward passes change buffers, as batch norm's do while training."""

    def buffers(self) -> Iterable[Tensor]:
        """Return these buffers, which a look ahead puts back as they were."""
        ...


def shared_parameters(objective: Objective) -> list[nn.Parameter]:
    """Return the shared parameters that are trained, each once, even where layers are tied."""
    return _trained(objective.shared_parameters())


def task_parameters(objective: Objective, task: str) -> list[nn.Parameter]:
    """Return the parameters of `task` alone that are trained, each once."""
    return _trained(objective.task_parameters(task))


def parameters(objective: Objective) -> list[nn.Parameter]:
    """Return all parameters that are trained: shared ones, then each task's own.

    Raises:
        OverlappingParametersError: A parameter of one task alone is shared, or another task's.
    """
    found = shared_parameters(objective)
    owner = {id(parameter): "the shared parameters" for parameter in found}
    for task in objective.tasks:
        for parameter in task_parameters(objective, task):
            if id(parameter) in owner:
                raise OverlappingParametersError(task, owner[id(parameter)], parameter.shape)
            owner[id(parameter)] = f"the parameters of task {task!r}"
            found.append(parameter)
    return found


def _trained(candidates: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    unique = {id(parameter): parameter for parameter in candidates if parameter.requires_grad}
    return list(unique.values())
