"""How long an update of multi-task SAC takes, next to Stable-Baselines3's SAC of the same size.

    python -m benchmarks.sac_update [--repeats 30] [--threads 2] [--methods equal aligned_mtl ...]

MT10's sizes: ten tasks, 128 samples of each, 3 x 400 units. What is learned is noise. All take
turns, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
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
from robomtl.bench.timing import durations

_TASKS, _STATES, _ACTIONS, _SAMPLES, _WIDTH, _DEPTH = 10, 39, 4, 128, 400, 3
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=30, help="updates to time")
    parser.add_argument("--threads", type=int, default=2, help="threads that torch computes with")
    parser.add_argument("--methods", nargs="*", default=_METHODS)
    parser.add_argument("--network", default="one_hot")
    arguments = parser.parse_args()
    keep_freed_memory()  # as trainings do
    torch.set_num_threads(arguments.threads)
    batch = _TASKS * _SAMPLES
    models = {
        "Stable-Baselines3": SAC(
            "MlpPolicy",
            _Still(),
            buffer_size=20_000,
            policy_kwargs={"net_arch": [_WIDTH] * _DEPTH},
            seed=0,
            device="cpu",
        )
    }
    for method in dict.fromkeys(("equal", *arguments.methods)):
        config = SACConfig(
            method=method,
            network=arguments.network,
            width=_WIDTH,
            depth=_DEPTH,
            batch_size=_SAMPLES,
            buffer_size=2000,
        )
        models[method] = MultiTaskSAC(_Still(), config, seed=0, device="cpu")
    for model in models.values():
        _filled(model)
    taken = durations(
        {name: lambda m=model: m.train(1, batch) for name, model in models.items()},
        repeats=arguments.repeats,
        warm_up=3,
    )
    medians = {name: median(times) for name, times in taken.items()}
    table = Table("method", title=f"SAC's update, {arguments.threads} threads, medians")
    for column in ("ms", "fastest ms", "updates/s", "x equal", "x Stable-Baselines3"):
        table.add_column(column, justify="right")
    for name, value in medians.items():
        table.add_row(
            name,
            f"{1e3 * value:.1f}",
            f"{1e3 * min(taken[name]):.1f}",
            f"{1 / value:.1f}",
            f"{value / medians['equal']:.2f}",
            f"{value / medians['Stable-Baselines3']:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
