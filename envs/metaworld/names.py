"""Meta-World's benchmarks and the tasks in them."""

from __future__ import annotations

from collections.abc import Sequence

from metaworld import env_dict
from metaworld.sawyer_xyz_env import SawyerXYZEnv

from robomtl.envs.exceptions import EnvError, UnknownNameError

#: The fifty tasks, such as ``"reach-v3"``, in Meta-World's order.
TASKS: tuple[str, ...] = tuple(env_dict.ALL_V3_ENVIRONMENTS)

#: The tasks of each benchmark, in its order; MT1 is any one of them.
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "MT1": TASKS,
    "MT10": tuple(env_dict.MT10_V3),
    "MT25": tuple(env_dict.MT25_V3),
    "MT50": tuple(env_dict.MT50_V3),
}


def task_class(task: str) -> type[SawyerXYZEnv]:
    """Meta-World's own class of a task.

    Raises:
        UnknownNameError: There is no such task.
    """
    if task not in TASKS:
        raise UnknownNameError("task", task, TASKS)
    return env_dict.ALL_V3_ENVIRONMENTS[task]


def chosen_tasks(benchmark: str, tasks: Sequence[str] | None = None) -> tuple[str, ...]:
    """The tasks of a benchmark, or some of them.

    Args:
        benchmark: One of `BENCHMARKS`.
        tasks: Which of its tasks, in which order; all, in the benchmark's, unless given.

    Raises:
        UnknownNameError: There is no such benchmark, or no such task in it.
        EnvError: A task twice, none, or for MT1 not exactly one.
    """
    if benchmark not in BENCHMARKS:
        raise UnknownNameError("benchmark", benchmark, BENCHMARKS)
    valid = BENCHMARKS[benchmark]
    chosen = valid if tasks is None else tuple(tasks)
    if benchmark == "MT1" and (tasks is None or len(chosen) != 1):
        raise EnvError("MT1 is one task: say which, as in tasks=('reach-v3',)")
    for task in chosen:
        if task not in valid:
            raise UnknownNameError(f"task of {benchmark}", task, valid)
    if not chosen or len(set(chosen)) < len(chosen):
        raise EnvError(f"tasks must be there once each and be at least one; got {chosen}")
    return chosen
