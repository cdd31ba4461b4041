"""What a task is: its things, how episodes differ, where the gripper goes, when it is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from robomtl.envs.tabletop.poses import Pose
from robomtl.envs.tabletop.world import World


@dataclass(frozen=True)
class Waypoint:
    """A stage of a task: bring the gripper to a pose, then perhaps open or close it.

    Attributes:
        pose: The tip's pose in the world.
        opened: What the gripper does on arrival; None leaves it as it is.
        symmetry: How many turns of the gripper about its approach axis, 2 pi / symmetry apart,
            serve as well: 2 for any parallel grasp whose object may end up turned by half, 4 for
            a cube, 1 where the direction matters.
    """

    pose: Pose
    opened: bool | None = None
    symmetry: int = 1


class Task(ABC):
    """One of the tasks. A subclass is a file in ``tasks/`` and says four things only.

    Attributes:
        name: RLBench's name of the task.
        variations: How many variations there are.
        max_steps: How many actions an episode may take unless the user says otherwise: ours,
            about twice the number of stages.
    """

    name: ClassVar[str]
    variations: ClassVar[int]
    max_steps: ClassVar[int]

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def build(self) -> None:
        """Add the task's things to `self.world`, and keep hold of those that matter."""

    @abstractmethod
    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        """Place and paint the things for an episode of a variation, 0 to `variations` - 1."""

    @abstractmethod
    def waypoints(self) -> list[Waypoint]:
        """The stages by which an expert solves the episode as it stands."""

    @abstractmethod
    def succeeded(self) -> bool:
        """Whether the task is done."""

    @abstractmethod
    def descriptions(self) -> tuple[str, ...]:
        """What a person might say to ask for the episode's variation."""
