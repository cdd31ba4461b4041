"""Tasks stepped by Ray's actors, on this machine or on many.

Each actor has a `Group`, as a worker process has. Actions go to it and results come back through
Ray, a few kilobytes a step. A result does not depend on which actor it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.envs.exceptions import MissingSimulatorError, SimulatorError
from robomtl.envs.metaworld.group import Arrays, Group, RemoteGroup
from robomtl.envs.metaworld.single_task import OBSERVATION
from robomtl.envs.metaworld.workers import Recipe


class RayWorkers(RemoteGroup):
    """Several actors with neighbouring tasks each; used as a `Group` is.

    Uses the Ray that this process is connected to. Otherwise connects to the cluster that
    $RAY_ADDRESS names, whose machines need robomtl installed too, or starts Ray on this machine.

    Args:
        recipes: The tasks.
        extra: Columns of observations after the simulator's own.
        workers: How many actors, at most one for each task. Ray spreads them over its machines.

    Raises:
        MissingSimulatorError: Ray is not installed; the message says how to.
        SimulatorError: An actor failed to start.
    """

    def __init__(self, recipes: Sequence[Recipe], extra: int, workers: int) -> None:
        self._ray = import_ray()
        if not self._ray.is_initialized():
            self._ray.init(log_to_driver=False)
        self.arrays = Arrays.allocate(len(recipes), extra)
        actor = self._ray.remote(scheduling_strategy="SPREAD")(_Actor)
        self._actors: list[Any] = []
        self._rows: list[slice] = []
        self._place: list[tuple[int, int]] = []
        self._steps: list[Any] = []
        for worker, indices in enumerate(np.array_split(np.arange(len(recipes)), workers)):
            rows = slice(int(indices[0]), int(indices[-1]) + 1)
            self._actors.append(actor.remote(list(recipes[rows])))
            self._rows.append(rows)
            self._place += [(worker, place) for place in range(len(indices))]
        self._answers({worker: a.start.remote() for worker, a in enumerate(self._actors)})

    def reset(self, goals: dict[int, int]) -> None:
        """Start episodes of some tasks, given by index, with these goals."""
        orders: dict[int, dict[int, int]] = {}
        for index, goal in goals.items():
            worker, place = self._place[index]
            orders.setdefault(worker, {})[place] = goal
        sent = {worker: self._actors[worker].reset.remote(o) for worker, o in orders.items()}
        for worker, observations in self._answers(sent).items():
            for place in orders[worker]:
                index = self._rows[worker].start + place
                self.arrays.observations[index, :OBSERVATION] = observations[place]

    def start_step(self) -> None:
        """Have every actor take one action in each of its tasks."""
        self._steps = [
            actor.step.remote(self.arrays.actions[rows].copy())
            for actor, rows in zip(self._actors, self._rows, strict=True)
        ]

    def finish_step(self) -> None:
        """Wait until all have."""
        for worker, answer in self._answers(dict(enumerate(self._steps))).items():
            part = self.arrays.part(self._rows[worker])
            part.observations[:, :OBSERVATION], part.rewards[:], part.success[:] = answer

    def close(self) -> None:
        """End the actors; Ray itself goes on."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []

    def _ask(self, index: int, order: str, *arguments: Any) -> Any:
        worker, place = self._place[index]
        sent = self._actors[worker].ask.remote(order, place, *arguments)
        return self._answers({worker: sent})[worker]

    def _answers(self, sent: dict[int, Any]) -> dict[int, Any]:
        """Waits for all before it raises what went wrong with any."""
        answers: dict[int, Any] = {}
        failures: list[Exception] = []
        for worker, reference in sent.items():
            try:
                answers[worker] = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                failures.append(SimulatorError(f"Ray's actor {worker} ended: {error}"))
            else:
                if isinstance(answers[worker], Exception):
                    failures.append(answers[worker])
        if failures:
            raise failures[0]
        return answers


def import_ray() -> Any:
    """The optional library.

    Raises:
        MissingSimulatorError: It is not installed; the message says how to install it.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingSimulatorError(
            f"workers on many machines need Ray ({error}): pip install 'robomtl[ray]'"
        ) from error
    return ray


def _caught(work: Callable[[], Any]) -> Any:
    """What `work` returns, or what it raised as an error that survives the way back."""
    try:
        return work()
    except (SimulatorError, AttributeError, TypeError) as error:
        return error
    except Exception as error:
        return SimulatorError(f"{type(error).__name__}: {error}")


class _Actor:
    """A group of tasks in a process of Ray's; errors are returned, not raised."""

    def __init__(self, recipes: Iterable[Recipe]) -> None:
        self._recipes = list(recipes)

    def start(self) -> Any:
        return _caught(self._start)

    def _start(self) -> None:
        self._arrays = Arrays.allocate(len(self._recipes))
        self._group = Group([recipe.make() for recipe in self._recipes], self._arrays)

    def reset(self, goals: dict[int, int]) -> Any:
        def work() -> NDArray[np.float32]:
            self._group.reset(goals)
            return self._arrays.observations

        return _caught(work)

    def step(self, actions: NDArray[np.float32]) -> Any:
        def work() -> tuple[NDArray[Any], ...]:
            self._arrays.actions[:] = actions
            self._group.finish_step()
            return self._arrays.observations, self._arrays.rewards, self._arrays.success

        return _caught(work)

    def ask(self, order: str, *arguments: Any) -> Any:
        return _caught(lambda: getattr(self._group, order)(*arguments))
