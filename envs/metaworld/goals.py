"""Goals: where an episode's objects and targets are, as Meta-World's benchmarks draw them.

A goal is the vector of random numbers that Meta-World places a scene by (its ``rand_vec``), of a
length that depends on the task. The goals of a benchmark come from its seed alone, and are those
of ``metaworld.MT10(seed)`` and so on, to the bit. One stream of random numbers goes through all
tasks of a benchmark, so a task has other goals in MT1 than in MT10, and other ones for another
number of goals; that is Meta-World's doing, and kept, for results that can be compared.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robomtl.data.atomic import write_atomically
from robomtl.envs.exceptions import EnvError
from robomtl.envs.metaworld.fast_steps import FastSteps, fast
from robomtl.envs.metaworld.names import BENCHMARKS

Array = NDArray[np.float64]


def cache_folder() -> Path:
    """Where goals are kept: ``robomtl/metaworld`` in $XDG_CACHE_HOME, or else in ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "robomtl" / "metaworld"


def benchmark_goals(
    benchmark: str, tasks: Sequence[str], seed: int, count: int
) -> dict[str, Array]:
    """The goals of some tasks of a benchmark, from the cache where they are in it.

    Warns if they are not and cannot be added to it.

    Args:
        benchmark: One of `BENCHMARKS`.
        tasks: Of this benchmark.
        seed: What draws them, 0 to 2³² − 1.
        count: How many goals of each task; the benchmark has 50.

    Returns:
        (count, D) by task, D depending on the task.

    Raises:
        EnvError: The seed or the count is out of range.
    """
    check_goals(seed, count)
    # MT1 is a benchmark of its own for each task.
    everything = tuple(tasks) if benchmark == "MT1" else BENCHMARKS[benchmark]
    name = f"MT1-{everything[0]}" if benchmark == "MT1" else benchmark
    version = metadata.version("metaworld")
    path = cache_folder() / f"{name}-seed{seed}-goals{count}-metaworld{version}.npz"
    goals = _read(path, everything, count)
    if goals is None:
        goals = draw_goals(everything, seed, count)
        _keep(path, goals)
    return {task: goals[task] for task in tasks}


def check_goals(seed: int, count: int) -> None:
    """Refuses what `benchmark_goals` cannot draw.

    Raises:
        EnvError: The seed or the count is out of range.
    """
    if count < 1:
        raise EnvError(f"goals must be at least 1, not {count}")
    if not 0 <= seed < 2**32:
        raise EnvError(f"the seed of goals must be within 0 to 2**32 - 1, not {seed}")


def draw_goals(tasks: Sequence[str], seed: int, count: int) -> dict[str, Array]:
    """Draws goals for several tasks in turn from one stream of random numbers.

    NumPy's global generator, which Meta-World draws from, is left as it was found.
    """
    with _global_generator(seed):
        return {task: _draw(fast(task)(), count) for task in tasks}


def draw_goal(env: FastSteps, seed: Sequence[int]) -> Array:
    """One goal of one task, from a generator of its own."""
    with _global_generator(np.random.SeedSequence(seed).generate_state(4)):
        return _draw(env, 1)[0]


def _draw(env: FastSteps, count: int) -> Array:
    frozen = env._freeze_rand_vec
    env._freeze_rand_vec, env._set_task_called = False, True
    drawn = []
    for _ in range(count):
        env.place()  # Meta-World resets twice, and keeps what the second time draws
        env.place()
        drawn.append(env._last_rand_vec)
    env._freeze_rand_vec = frozen
    return np.array(drawn)


@contextmanager
def _global_generator(seed: int | NDArray[np.unsignedinteger]) -> Iterator[None]:
    before = np.random.get_state()  # noqa: NPY002 - the one that Meta-World uses
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def _read(path: Path, tasks: Sequence[str], count: int) -> dict[str, Array] | None:
    """What a file of the cache holds; None if there is none, or a damaged one."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            goals = {task: file[task] for task in tasks}
        sound = all(len(goal) == count and np.isfinite(goal).all() for goal in goals.values())
    except Exception:  # a damaged file can make zipfile and NumPy raise nearly anything
        return None
    return goals if sound else None


def _keep(path: Path, goals: dict[str, Array]) -> None:
    """Writes a file of the cache, or warns: goals that were drawn serve without it."""
    content = io.BytesIO()
    np.savez(content, **goals)  # type: ignore[arg-type]  # numpy types its keywords as one of its own
    try:
        write_atomically(path, content.getvalue())
    except OSError as error:
        warnings.warn(
            f"the goals cannot be kept in {path.parent}, so they are drawn anew each time "
            f"({error}): set $XDG_CACHE_HOME to a folder that can be written to",
            stacklevel=3,
        )
