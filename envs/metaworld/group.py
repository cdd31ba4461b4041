"""Several tasks that one process steps, and the arrays through which it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from robomtl.envs.metaworld.single_task import OBSERVATION, SingleTask, step_together

Allocate = Callable[[tuple[int, ...], DTypeLike], NDArray[Any]]


@dataclass(frozen=True)
class Arrays:
    """What goes into T environments and comes out of them.

    Attributes:
        actions: (T, 4) float32.
        observations: (T, 39) float32, or more columns, which nobody here writes to.
        rewards: (T,) float64.
        success: (T,) bool, whether each task is done now.
    """

    actions: NDArray[np.float32]
    observations: NDArray[np.float32]
    rewards: NDArray[np.float64]
    success: NDArray[np.bool_]

    @staticmethod
    def allocate(tasks: int, extra: int = 0, allocate: Allocate = np.zeros) -> Arrays:
        """Arrays of zeros.

        Args:
            tasks: How many environments.
            extra: Columns of observations after the simulator's own.
            allocate: Makes an array of a shape and a type.
        """
        return Arrays(
            actions=allocate((tasks, 4), np.float32),
            observations=allocate((tasks, OBSERVATION + extra), np.float32),
            rewards=allocate((tasks,), np.float64),
            success=allocate((tasks,), np.bool_),
        )

    def part(self, tasks: slice) -> Arrays:
        """The rows of some environments, of the same memory."""
        return Arrays(
            actions=self.actions[tasks],
            observations=self.observations[tasks],
            rewards=self.rewards[tasks],
            success=self.success[tasks],
        )


class Group:
    """Steps several tasks, one after the other, in this process.

    Args:
        tasks: What to step.
        arrays: Where actions are read from and results written to.
    """

    def __init__(self, tasks: Sequence[SingleTask], arrays: Arrays) -> None:
        self.tasks = tuple(tasks)
        self._arrays = arrays

    def reset(self, goals: dict[int, int]) -> None:
        """Start episodes of some tasks, given by index, with these goals."""
        for index, goal in goals.items():
            self._arrays.observations[index, :OBSERVATION] = self.tasks[index].reset(goal)

    def start_step(self) -> None:
        """Nothing: `finish_step` does it all."""

    def finish_step(self) -> None:
        """Take one action in every task."""
        arrays = self._arrays
        outcomes = step_together(self.tasks, arrays.actions)
        for index, (observation, reward, success) in enumerate(outcomes):
            arrays.observations[index, :OBSERVATION] = observation
            arrays.rewards[index] = reward
            arrays.success[index] = success

    def get(self, index: int, name: str) -> Any:
        """An attribute of a task's `SingleTask`."""
        return getattr(self.tasks[index], name)

    def set(self, index: int, name: str, value: Any) -> None:
        """Set an attribute of a task's `SingleTask`."""
        setattr(self.tasks[index], name, value)

    def call(self, index: int, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a method of a task's `SingleTask`."""
        return getattr(self.tasks[index], name)(*args, **kwargs)

    def close(self) -> None:
        """Give everything back."""
        for task in self.tasks:
            task.simulator.close()


class RemoteGroup(ABC):
    """Tasks in other processes."""

    def get(self, index: int, name: str) -> Any:
        """An attribute of a task's `SingleTask`."""
        return self._ask(index, "get", name)

    def set(self, index: int, name: str, value: Any) -> None:
        """Set an attribute of a task's `SingleTask`."""
        self._ask(index, "set", name, value)

    def call(self, index: int, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a method of a task's `SingleTask`."""
        return self._ask(index, "call", name, args, kwargs)

    @abstractmethod
    def _ask(self, index: int, order: str, *arguments: Any) -> Any:
        """Have the `Group` that a task is in carry out an order, and return its answer."""
