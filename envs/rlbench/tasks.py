"""RLBench's tasks by name: all that the installed version has."""

from __future__ import annotations

from typing import Any

from robomtl.envs.exceptions import UnknownNameError
from robomtl.envs.rlbench.availability import package_folder, require

#: Actions until an episode is truncated. RLBench sets no limit; this is PerAct's, for all tasks.
MAX_STEPS = 25


def task_names() -> tuple[str, ...]:
    """Every task of the installed RLBench; none where it is not installed."""
    folder = package_folder("rlbench")
    files = [] if folder is None else (folder / "tasks").glob("[!_]*.py")
    return tuple(sorted(file.stem for file in files))


def task_class(name: str) -> Any:
    """RLBench's class of a task.

    Raises:
        MissingSimulatorError: RLBench cannot run here.
        UnknownNameError: It has no such task.
    """
    require()
    if name not in task_names():
        raise UnknownNameError("RLBench task", name, task_names())
    from rlbench.utils import name_to_task_class

    return name_to_task_class(name)


def variation_count(name: str) -> int:
    """How many variations a task has, without starting the simulator.

    Raises:
        MissingSimulatorError: RLBench cannot run here.
        UnknownNameError: It has no such task.
    """
    # A task keeps the simulator and the robot for later; how many variations it has needs neither.
    return int(task_class(name)(None, None).variation_count())
