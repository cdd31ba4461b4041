"""How long an update of multi-task SAC takes, next to Stable-Baselines3's SAC of the same size.

    python -m benchmarks.sac_update [--repeats 30] [--threads 2] [--methods equal aligned_mtl ...]

MT10's sizes: ten tasks, 128 samples of each, 3 x 400 units. What is learned is noise. Each learns
in a process of its own, as it would be trained: ours keep freed memory, as `robomtl rl train` does.
Stable-Baselines3 is there twice: as it comes, and with memory kept likewise, which shows how much
of the difference is the allocator's. All take turns, so that whatever else the machine does hits
all alike.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from rich.console import Console
from rich.table import Table
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from robomtl.agents.sac import MultiTaskSAC, SACConfig
from robomtl.allocator import keep_freed_memory
from robomtl.bench.timing import durations, ratio

_TASKS, _STATES, _ACTIONS, _SAMPLES, _WIDTH, _DEPTH = 10, 39, 4, 128, 400, 3
_BASELINE = "Stable-Baselines3"
_METHODS = ("equal", "aligned_mtl", "pcgrad", "cagrad", "mgda", "imtl_g", "nash_mtl")


class _Still(DummyVecEnv):
    """Ten environments of MT10's sizes in which nothing is ever done."""

    tasks = tuple(f"task{number}" for number in range(_TASKS))

    def __init__(self) -> None:
        observation = spaces.Box(-np.inf, np.inf, (_STATES + _TASKS,), np.float32)
        VecEnv.__init__(self, _TASKS, observation, spaces.Box(-1, 1, (_ACTIONS,), np.float32))

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * _TASKS

    def seed(self, seed: int | None = None) -> list[None]:
        return [None] * _TASKS


def _filled(model: SAC, steps: int = 2000) -> SAC:
    """Return a model that remembers noise."""
    rng = np.random.default_rng(0)
    model.set_logger(Logger(None, []))
    one_hot = np.eye(_TASKS)
    for _ in range(steps):
        state, after = rng.normal(size=(2, _TASKS, _STATES))
        model.replay_buffer.add(
            np.concatenate((state, one_hot), 1),
            np.concatenate((after, one_hot), 1),
            rng.uniform(-1, 1, (_TASKS, _ACTIONS)),
            rng.normal(size=_TASKS),
            np.zeros(_TASKS, dtype=bool),
            [{}] * _TASKS,
        )
    return model


def _baseline() -> SAC:
    return SAC(
        "MlpPolicy",
        _Still(),
        buffer_size=20_000,
        policy_kwargs={"net_arch": [_WIDTH] * _DEPTH},
        seed=0,
        device="cpu",
    )


def _ours(method: str, network: str) -> SAC:
    config = SACConfig(
        method=method,
        network=network,
        width=_WIDTH,
        depth=_DEPTH,
        batch_size=_SAMPLES,
        buffer_size=2000,
    )
    return MultiTaskSAC(_Still(), config, seed=0, device="cpu")


class _Learner:
    """A model in a process of its own.

    Args:
        make: Makes it.
        keep_memory: Whether the process keeps freed memory.
        threads: Threads that torch computes with.
    """

    _model: SAC

    def __init__(self, make: Callable[[], SAC], *, keep_memory: bool, threads: int) -> None:
        self._process = ProcessPoolExecutor(
            1,
            multiprocessing.get_context("spawn"),
            initializer=self._start,
            initargs=(make, keep_memory, threads),
        )

    @classmethod
    def _start(cls, make: Callable[[], SAC], keep_memory: bool, threads: int) -> None:
        if keep_memory:
            keep_freed_memory()
        torch.set_num_threads(threads)
        cls._model = _filled(make())

    @classmethod
    def _update(cls) -> None:
        cls._model.train(1, _TASKS * _SAMPLES)

    def __call__(self) -> None:
        """Do an update."""
        self._process.submit(self._update).result()

    def stop(self) -> None:
        """End the process."""
        self._process.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=30, help="updates to time")
    parser.add_argument("--threads", type=int, default=2, help="threads that torch computes with")
    parser.add_argument("--methods", nargs="*", default=_METHODS)
    parser.add_argument("--network", default="one_hot")
    arguments = parser.parse_args()
    learner = partial(_Learner, threads=arguments.threads)
    learners = {
        _BASELINE: learner(_baseline, keep_memory=False),
        f"{_BASELINE}, memory kept": learner(_baseline, keep_memory=True),
    }
    for method in dict.fromkeys(("equal", *arguments.methods)):
        learners[method] = learner(partial(_ours, method, arguments.network), keep_memory=True)
    taken = durations(learners, repeats=arguments.repeats, warm_up=3)
    for each in learners.values():
        each.stop()
    table = Table("method", title=f"SAC's update, {arguments.threads} threads, medians")
    for column in ("ms", "fastest ms", "updates/s", "x equal", "x updates/s of SB3"):
        table.add_column(column, justify="right")
    for name, times in taken.items():
        milliseconds = [1e3 * time for time in times]
        table.add_row(
            name,
            f"{median(milliseconds):.1f}",
            f"{min(milliseconds):.1f}",
            f"{1e3 / median(milliseconds):.1f}",
            f"{ratio(times, taken['equal']):.2f}",
            f"{ratio(taken[_BASELINE], times):.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
