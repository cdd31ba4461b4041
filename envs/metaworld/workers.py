"""Tasks stepped by several processes, which write into memory that all of them share.

Each process has a `Group` and does what it is told through a pipe; observations, rewards and
actions never go through one. A result does not depend on which process it came from.

An answer bears the number of its order. So one that was not waited for, because Ctrl-C or a reset
came first, is not taken for the answer to the next order.
"""

from __future__ import annotations

import math
import multiprocessing
import signal
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from robomtl.envs.exceptions import EnvError, SimulatorError
from robomtl.envs.metaworld.group import Arrays, Group, RemoteGroup
from robomtl.envs.metaworld.single_task import SingleTask

# A fork would copy locks that other threads hold, and OpenGL contexts (Meta-World's issue 509).
_CONTEXT = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class _Shared:
    """An array in memory that child processes can be given; it goes when its last user does."""

    memory: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @staticmethod
    def allocate(shape: tuple[int, ...], dtype: DTypeLike) -> _Shared:
        kind = np.dtype(dtype)
        return _Shared(_CONTEXT.RawArray("b", math.prod(shape) * kind.itemsize), shape, kind)

    def array(self) -> NDArray[Any]:
        return np.frombuffer(self.memory, self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Recipe:
    """How to make a `SingleTask`, in a process that is yet to be."""

    name: str
    goals: NDArray[np.float64]
    reward: str
    horizon: int
    action_repeat: int = 1

    def make(self) -> SingleTask:
        """The task."""
        return SingleTask(
            self.name,
            self.goals,
            reward=self.reward,
            horizon=self.horizon,
            action_repeat=self.action_repeat,
        )


class Workers(RemoteGroup):
    """Several processes with neighbouring tasks each; used as a `Group` is.

    Args:
        recipes: The tasks.
        extra: Columns of observations after the simulator's own.
        workers: How many processes, at most one for each task.
    """

    def __init__(self, recipes: Sequence[Recipe], extra: int, workers: int) -> None:
        shared: list[_Shared] = []

        def allocate(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
            shared.append(_Shared.allocate(shape, dtype))
            return shared[-1].array()

        self.arrays = Arrays.allocate(len(recipes), extra, allocate)
        self._pipes: list[Connection] = []
        self._processes = []
        self._place: list[tuple[int, int]] = []
        self._latest = [0] * workers  # each worker's latest order; to start is number 0
        for worker, indices in enumerate(np.array_split(np.arange(len(recipes)), workers)):
            rows = slice(int(indices[0]), int(indices[-1]) + 1)
            self._place += [(worker, k) for k in range(len(indices))]
            ours, theirs = _CONTEXT.Pipe()
            process = _CONTEXT.Process(
                target=_work, args=(theirs, recipes[rows], shared, rows), daemon=True
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for worker in range(len(self._pipes)):
            self._answer(worker)

    def reset(self, goals: dict[int, int]) -> None:
        """Start episodes of some tasks, given by index, with these goals."""
        orders: dict[int, dict[int, int]] = {}
        for index, goal in goals.items():
            worker, place = self._place[index]
            orders.setdefault(worker, {})[place] = goal
        for worker, order in orders.items():
            self._send(worker, "reset", order)
        self._answers(orders)

    def start_step(self) -> None:
        """Have every process take one action in each of its tasks."""
        for worker in range(len(self._pipes)):
            self._send(worker, "finish_step")

    def finish_step(self) -> None:
        """Wait until all have."""
        self._answers(range(len(self._pipes)))

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()
        self._pipes, self._processes = [], []

    def _ask(self, index: int, order: str, *arguments: Any) -> Any:
        worker, place = self._place[index]
        self._send(worker, order, place, *arguments)
        return self._answer(worker)

    def _send(self, worker: int, order: str, *arguments: Any) -> None:
        self._latest[worker] += 1
        try:
            self._pipes[worker].send((self._latest[worker], order, arguments))
        except (BrokenPipeError, OSError) as error:
            raise self._died(worker) from error

    def _answers(self, workers: Any) -> None:
        """Waits for all, so that no answer is left in a pipe, before it raises what went wrong."""
        failures = []
        for worker in workers:
            try:
                self._answer(worker)
            except EnvError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _answer(self, worker: int) -> Any:
        number = -1
        try:
            while number < self._latest[worker]:
                number, answer = self._pipes[worker].recv()
        except (EOFError, ConnectionResetError) as error:
            raise self._died(worker) from error
        if isinstance(answer, _Failure):
            raise answer.error from SimulatorError(f"in worker {worker}:\n{answer.trace}")
        return answer

    def _died(self, worker: int) -> SimulatorError:
        process = self._processes[worker]
        process.join(timeout=1)
        return SimulatorError(
            f"worker process {worker} (id {process.pid}) ended with exit code {process.exitcode}"
        )


@dataclass(frozen=True)
class _Failure:
    error: Exception
    trace: str


def _work(pipe: Connection, recipes: Sequence[Recipe], shared: list[_Shared], rows: slice) -> None:
    """Does what comes through the pipe, until the other end is closed or its process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    group: Group | None = None
    number: int = 0
    order: str = "start"
    arguments: tuple[Any, ...] = ()
    while True:
        try:
            if group is None:
                arrays = Arrays(*(one.array() for one in shared))
                group = Group([recipe.make() for recipe in recipes], arrays.part(rows))
                answer = None
            else:
                answer = getattr(group, order)(*arguments)
        except (SimulatorError, AttributeError, TypeError) as error:
            answer = _Failure(error, traceback.format_exc())
        except Exception as error:  # whose class may not survive the pipe
            failure = SimulatorError(f"{type(error).__name__}: {error}")
            answer = _Failure(failure, traceback.format_exc())
        try:
            _send_answer(pipe, number, answer)
            number, order, arguments = pipe.recv()
        except (EOFError, OSError):
            return


def _send_answer(pipe: Connection, number: int, answer: Any) -> None:
    """Nothing has gone through the pipe yet when it turns out that an answer cannot be pickled."""
    try:
        pipe.send((number, answer))
    except (EOFError, OSError):
        raise
    except Exception as error:
        kind = type(answer).__name__
        failure = TypeError(
            f"the answer, a {kind}, cannot be sent from a worker process ({error}); with workers=1 "
            "it need not be"
        )
        pipe.send((number, _Failure(failure, traceback.format_exc())))
