"""Scenes that tests drive by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from robomtl.envs.tabletop.body import Body
from robomtl.envs.tabletop.episode import Episode
from robomtl.envs.tabletop.poses import DOWN, Pose
from robomtl.envs.tabletop.tasks import TASKS


class Scene:
    """An episode that has just begun, and short words for what a robot can do in it."""

    def __init__(self, episode: Episode) -> None:
        self.task = episode.task
        self.world = episode.world
        self.arm = episode.arm

    @property
    def succeeded(self) -> bool:
        """Whether the task is done."""
        return self.task.succeeded()

    def bring(self, pose: Pose, opened: bool | None = None) -> None:
        """Bring the tip to a pose, then perhaps open or close the gripper."""
        for _ in self.arm.move_to(pose):
            pass
        if opened is not None:
            self.arm.actuate_gripper(opened)

    def shift(self, offset: tuple[float, float, float], opened: bool | None = None) -> None:
        """Move the tip by metres in the world, as it is turned."""
        self.bring(Pose(self.world.tip.position + offset, self.world.tip.rotation), opened)

    def follow(self, count: int | None = None) -> None:
        """Do what the expert does, up to and with waypoint `count` (all of them unless given)."""
        for waypoint in self.task.waypoints()[:count]:
            self.bring(waypoint.pose, waypoint.opened)

    def put(self, body: Body, pose: Pose, frames: int = 10) -> None:
        """Put a body somewhere and let it come to rest."""
        body.place(pose)
        self.world.forward()
        self.wait(frames)

    def wait(self, frames: int = 10) -> None:
        """Let frames of 0.05 s pass."""
        for _ in self.arm.wait(frames):
            pass


@pytest.fixture(scope="session")
def start() -> Callable[..., Scene]:
    """Starts an episode of a task by name. There is one world per task: the last start counts."""
    episodes: dict[str, Episode] = {}

    def begin(name: str, seed: int = 0, variation: int = 0) -> Scene:
        if name not in episodes:
            episodes[name] = Episode(TASKS[name])
        episodes[name].reset(variation, seed)
        return Scene(episodes[name])

    return begin


@pytest.fixture(scope="session")
def down() -> Callable[[np.ndarray], Pose]:
    """The gripper pointing down at a place in the world."""
    return lambda position: Pose(np.asarray(position, dtype=float), DOWN)
