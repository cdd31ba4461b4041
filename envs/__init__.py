"""Where robots move: simulators, all behind one `gymnasium.Env`.

`make` builds an environment; importing this package also registers each task with Gymnasium, as
``robomtl/ReachTarget-v0`` and so on. Nothing is started by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import gymnasium as gym

from robomtl.data.observation import CAMERAS
from robomtl.envs.exceptions import (
    DemonstrationError,
    EnvError,
    InvalidActionError,
    MissingSimulatorError,
    PlacementError,
    RenderingError,
    ResetNeededError,
    SimulatorError,
    UnknownNameError,
    UnreachablePoseError,
)
from robomtl.envs.metaworld.environment import MetaWorldEnv
from robomtl.envs.rlbench import RLBenchEnv
from robomtl.envs.robot import RobotEnv
from robomtl.envs.tabletop import TabletopEnv
from robomtl.envs.tabletop.tasks import TASKS as _TABLETOP_TASKS

#: The ten tasks, in the papers' order.
TASKS: tuple[str, ...] = tuple(_TABLETOP_TASKS)

Simulator = Literal["tabletop", "rlbench", "metaworld"]

#: The simulators that `make` knows.
SIMULATORS: tuple[Simulator, ...] = get_args(Simulator)

_CLASSES: dict[Simulator, type[RobotEnv]] = {
    "tabletop": TabletopEnv,
    "rlbench": RLBenchEnv,
    "metaworld": MetaWorldEnv,
}

_THREE_CAMERAS = {"metaworld": ("corner2", "corner3", "gripper_pov")}

__all__ = [
    "SIMULATORS",
    "TASKS",
    "DemonstrationError",
    "EnvError",
    "InvalidActionError",
    "MetaWorldEnv",
    "MissingSimulatorError",
    "PlacementError",
    "RLBenchEnv",
    "RenderingError",
    "ResetNeededError",
    "RobotEnv",
    "Simulator",
    "SimulatorError",
    "TabletopEnv",
    "UnknownNameError",
    "UnreachablePoseError",
    "environment_class",
    "make",
    "usual_cameras",
    "variation_count",
]


def make(
    task: str,
    simulator: Simulator = "tabletop",
    variation: int = 0,
    cameras: Sequence[str] | None = None,
    image_size: int = 128,
    max_steps: int | None = None,
    strict: bool = False,
    look: str = "fast",
    render_mode: str | None = None,
) -> RobotEnv:
    """Build the environment of a task.

    The tabletop's tasks are `TASKS`; RLBench's are all that the installed version has; Meta-World's
    are its fifty, such as ``"reach-v3"``. Whoever needs what only one simulator can do builds its
    own environment: `TabletopEnv` can redraw demonstrations and be filmed, `RLBenchEnv` can open
    CoppeliaSim's window.

    Args:
        task: One of the simulator's tasks.
        simulator: One of `SIMULATORS`.
        variation: Of the task, 0 to ``variation_count(task) - 1``.
        cameras: Which to look through, of `robomtl.data.CAMERAS` or, in Meta-World, of
            `robomtl.data.METAWORLD_CAMERAS`; the simulator's usual three unless given.
        image_size: Of their square pictures, in pixels.
        max_steps: Actions until an episode is truncated; the task's own number unless given.
        strict: Raise what is wrong with an action instead of ending the episode as a failure.
        look: ``"fast"`` for training, ``"pretty"`` for people; the tabletop's alone.
        render_mode: None, or ``"rgb_array"`` for pictures from ``render()`` of the tabletop.

    Raises:
        UnknownNameError: There is no such task, simulator, variation, camera, look or render mode.
        MissingSimulatorError: The simulator is not installed; the message says what to do.
    """
    if cameras is None:
        cameras = usual_cameras(simulator)
    if environment_class(simulator) is TabletopEnv:
        return TabletopEnv(
            task, variation, cameras, image_size, max_steps, strict, look, render_mode
        )
    if look != "fast":
        raise UnknownNameError(f"look of {simulator}", look, ("fast",))
    if render_mode is not None:
        raise UnknownNameError(f"render mode of {simulator}", render_mode, (None,))
    if simulator == "metaworld":
        return MetaWorldEnv(task, variation, cameras, image_size, max_steps, strict)
    return RLBenchEnv(task, variation, cameras, image_size, max_steps, strict)


def environment_class(simulator: Simulator) -> type[RobotEnv]:
    """The class of a simulator's environments, which knows what there is without starting it.

    Raises:
        UnknownNameError: There is no such simulator.
    """
    if simulator not in _CLASSES:
        raise UnknownNameError("simulator", simulator, SIMULATORS)
    return _CLASSES[simulator]


def usual_cameras(simulator: Simulator) -> tuple[str, ...]:
    """The three cameras that a simulator's environments look through unless told otherwise."""
    return _THREE_CAMERAS.get(simulator, CAMERAS[:3])


def variation_count(task: str, simulator: Simulator = "tabletop") -> int:
    """How many variations a task has.

    Raises:
        UnknownNameError: There is no such task or simulator.
        MissingSimulatorError: The simulator is not installed; the message says what to do.
    """
    return environment_class(simulator).variation_count(task)


def _register() -> None:
    for name in TASKS:
        camel = "".join(word.capitalize() for word in name.split("_"))
        identity = f"robomtl/{camel}-v0"
        if identity not in gym.registry:
            gym.register(identity, entry_point="robomtl.envs:make", kwargs={"task": name})


_register()
