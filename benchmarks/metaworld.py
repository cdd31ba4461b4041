"""Meta-World's MT10: making it, and stepping it, next to Meta-World's own `gym.make_vec`.

    python -m benchmarks.metaworld [--steps 500] [--rounds 3] [--workers 2]

Actions are random. All take turns, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from statistics import median
from unittest import mock

import gymnasium as gym
import metaworld  # noqa: F401 - registers its environments
import numpy as np
from rich.console import Console
from rich.table import Table

from robomtl.bench.timing import ratio
from robomtl.envs.metaworld import make_vec

_TASKS = 10


def seconds(action: Callable[[], object]) -> float:
    """Return how long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def stock() -> gym.vector.VectorEnv:
    """Return Meta-World's own vector environment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gym.make_vec("Meta-World/MT10", vector_strategy="sync", seed=0, use_one_hot=True)


def construction(rounds: int) -> dict[str, list[float]]:
    """Return the seconds that making MT10 took."""
    times: dict[str, list[float]] = {"stock": [], "ours, first": [], "ours": []}
    for _ in range(rounds):
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.dict("os.environ", XDG_CACHE_HOME=folder),
        ):
            times["ours, first"].append(seconds(make_vec))
            times["ours"].append(seconds(make_vec))
        times["stock"].append(seconds(stock))
    return times


def stepping(steps: int, rounds: int, workers: int) -> dict[str, list[float]]:
    """Return the environment steps per second of each round, whole episodes with their resets."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (steps, _TASKS, 4)).astype(np.float32)
    contenders = {"stock": stock(), "ours": make_vec()}
    if workers > 1:
        contenders[f"ours, {workers} workers"] = make_vec(workers=workers)
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for env in contenders.values():
        env.reset()
    for _ in range(rounds):
        for name, env in contenders.items():

            def go(env: object = env) -> None:
                for action in actions:
                    env.step(action)  # type: ignore[attr-defined]

            speeds[name].append(steps * _TASKS / seconds(go))
    for env in contenders.values():
        env.close()
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=500, help="steps of a round; 500, an episode")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    made = construction(arguments.rounds)
    stepped = stepping(arguments.steps, arguments.rounds, arguments.workers)
    table = Table("MT10", title="Meta-World, medians")
    for name in ("seconds to make", "steps per second", "fastest round", "ratio"):
        table.add_column(name, justify="right")
    for name, times in made.items():
        faster = f"{ratio(made['stock'], times):.1f}"
        table.add_row(name, f"{median(times):.2f}", "", f"{min(times):.2f}", faster)
    for name, speeds in stepped.items():
        faster = f"{ratio(speeds, stepped['stock']):.2f}"
        table.add_row(name, "", f"{median(speeds):,.0f}", f"{max(speeds):,.0f}", faster)
    Console().print(table)


if __name__ == "__main__":
    main()
