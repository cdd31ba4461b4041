"""Where robots move: simulators, all behind one `gymnasium.Env`.

`make` builds an environment; importing this package also registers each task with Gymnasium, as
``robomtl/ReachTarget-v0`` and so on. Nothing is started by that.
"""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium as gym

from robomtl.envs.exceptions import (
    DemonstrationError,
    EnvError,
    InvalidActionError,
    PlacementError,
    RenderingError,
    UnknownNameError,
    UnreachablePoseError,
)
from robomtl.envs.tabletop import TabletopEnv
from robomtl.envs.tabletop.tasks import TASKS as _TABLETOP_TASKS

#: The ten tasks, in the papers' order.
TASKS: tuple[str, ...] = tuple(_TABLETOP_TASKS)

#: The simulators that `make` knows.
SIMULATORS = ("tabletop",)

__all__ = [
    "SIMULATORS",
    "TASKS",
    "DemonstrationError",
    "EnvError",
    "InvalidActionError",
    "PlacementError",
    "RenderingError",
    "TabletopEnv",
    "UnknownNameError",
    "UnreachablePoseError",
    "make",
    "variation_count",
]


def make(
    task: str,
    simulator: str = "tabletop",
    variation: int = 0,
    cameras: Sequence[str] = ("left_shoulder", "right_shoulder", "wrist"),
    image_size: int = 128,
    max_steps: int | None = None,
    strict: bool = False,
    look: str = "fast",
    render_mode: str | None = None,
) -> TabletopEnv:
    """Build the environment of a task.

    Args:
        task: One of `TASKS`.
        simulator: One of `SIMULATORS`.
        variation: Of the task, 0 to ``variation_count(task) - 1``.
        cameras: Which of `robomtl.data.CAMERAS` to look through.
        image_size: Of their square pictures, in pixels.
        max_steps: Actions until an episode is truncated; the task's own number unless given.
        strict: Raise what is wrong with an action instead of ending the episode as a failure.
        look: ``"fast"`` for training, ``"pretty"`` for people.
        render_mode: None, or ``"rgb_array"`` for pictures from ``render()``.

    Raises:
        UnknownNameError: There is no such task, simulator, variation, camera or look.
    """
    if simulator not in SIMULATORS:
        raise UnknownNameError("simulator", simulator, SIMULATORS)
    return TabletopEnv(task, variation, cameras, image_size, max_steps, strict, look, render_mode)


def variation_count(task: str) -> int:
    """How many variations a task has.

    Raises:
        UnknownNameError: There is no such task.
    """
    if task not in _TABLETOP_TASKS:
        raise UnknownNameError("task", task, TASKS)
    return _TABLETOP_TASKS[task].variations


def _register() -> None:
    for name in TASKS:
        camel = "".join(word.capitalize() for word in name.split("_"))
        identity = f"robomtl/{camel}-v0"
        if identity not in gym.registry:
            gym.register(identity, entry_point="robomtl.envs:make", kwargs={"task": name})


_register()
