"""Which goal each task's next episode has."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robomtl.envs.exceptions import EnvError


class GoalChoice:
    """Draws each episode's goal at random, or goes through a list.

    Each task has a generator of its own, so what it draws depends on the seed and its name, not on
    which other tasks there are or how their episodes go.

    Args:
        tasks: Names of the tasks.
        count: How many goals each has.
    """

    def __init__(self, tasks: Sequence[str], count: int) -> None:
        self._tasks = tuple(tasks)
        self._count = count
        self._generators: list[np.random.Generator] = []
        self._lists: NDArray[np.int64] | None = None
        self._used = [0] * len(self._tasks)
        for task in range(len(self._tasks)):
            self._generators.append(self._generator(task, 0))

    def _generator(self, task: int, seed: int) -> np.random.Generator:
        # A string's own hash differs from process to process.
        return np.random.default_rng([seed, zlib.crc32(self._tasks[task].encode())])

    def seed(self, task: int, seed: int) -> None:
        """Start the sequence of random goals of a task, given by its index, anew."""
        self._generators[task] = self._generator(task, seed)

    def follow(self, goals: ArrayLike | None) -> None:
        """Go through goals in order, again and again, from their beginning.

        Args:
            goals: (E,) the same for all tasks or (T, E) a list for each; None to draw at random.
                Random goals go on where they were.

        Raises:
            EnvError: Wrong shape, or no such goal.
        """
        self._used = [0] * len(self._tasks)
        if goals is None:
            self._lists = None
            return
        lists = np.asarray(goals)
        if lists.ndim == 1:
            lists = np.broadcast_to(lists, (len(self._tasks), len(lists)))
        if lists.ndim != 2 or len(lists) != len(self._tasks) or lists.shape[1] < 1:
            raise EnvError(
                f"goals must be E numbers, or E for each of {len(self._tasks)} tasks; "
                f"got shape {np.shape(goals)}"
            )
        if lists.dtype.kind not in "iu" or lists.min() < 0 or lists.max() >= self._count:
            raise EnvError(f"goals must be whole numbers from 0 to {self._count - 1}; got {goals}")
        self._lists = lists.astype(np.int64)

    def next(self, task: int) -> int:
        """The goal of the next episode of a task, given by its index."""
        if self._lists is None:
            return int(self._generators[task].integers(self._count))
        goal = self._lists[task, self._used[task] % self._lists.shape[1]]
        self._used[task] += 1
        return int(goal)

    def state_dict(self) -> dict[str, Any]:
        """All that decides the goals to come, as JSON can hold it."""
        return {
            "generators": {
                task: generator.bit_generator.state
                for task, generator in zip(self._tasks, self._generators, strict=True)
            },
            "lists": None if self._lists is None else self._lists.tolist(),
            "used": list(self._used),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was called.

        Raises:
            EnvError: The state is of other tasks.
        """
        if tuple(state["generators"]) != self._tasks:
            raise EnvError(
                f"the state is of tasks {', '.join(state['generators'])}, but these are "
                f"{', '.join(self._tasks)}"
            )
        self.follow(state["lists"])
        self._used = list(state["used"])
        for generator, task in zip(self._generators, self._tasks, strict=True):
            generator.bit_generator.state = state["generators"][task]
