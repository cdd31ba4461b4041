"""How episodes of each task went lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any


class TaskEpisodes:
    """Return and success of the last episodes of each task.

    Args:
        tasks: Names of the tasks; environment i does task i.
        window: Episodes to remember of each.
    """

    def __init__(self, tasks: Sequence[str], window: int) -> None:
        self.tasks = tuple(tasks)
        self._returns: dict[str, deque[float]] = {t: deque(maxlen=window) for t in tasks}
        self._successes: dict[str, deque[float]] = {t: deque(maxlen=window) for t in tasks}

    def note(self, infos: Sequence[Mapping[str, Any]], dones: Sequence[bool]) -> None:
        """Look for episodes that have just ended: `info["episode"]["r"]`, `info["is_success"]`."""
        for task, info, done in zip(self.tasks, infos, dones, strict=True):
            if not done:
                continue
            if "episode" in info:
                self._returns[task].append(float(info["episode"]["r"]))
            if "is_success" in info:
                self._successes[task].append(float(info["is_success"]))

    def returns(self) -> dict[str, float]:
        """Return the mean return of each task that has ended any episode."""
        return _means(self._returns)

    def success(self) -> dict[str, float]:
        """Return the success rate of each task that has ended any episode."""
        return _means(self._successes)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {
            "returns": {task: list(values) for task, values in self._returns.items()},
            "successes": {task: list(values) for task, values in self._successes.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        for name, into in (("returns", self._returns), ("successes", self._successes)):
            for task, values in state[name].items():
                into[task].clear()
                into[task].extend(values)


def _means(values: Mapping[str, deque[float]]) -> dict[str, float]:
    return {task: sum(seen) / len(seen) for task, seen in values.items() if seen}
