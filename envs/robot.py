"""What every simulator's environment is: a `gymnasium.Env` that can also demonstrate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from robomtl.data.demo import Demo
from robomtl.data.observation import CAMERAS, Observation
from robomtl.envs.exceptions import UnknownNameError


class RobotEnv(gym.Env[Observation, NDArray[np.float64]], ABC):
    """One task in one simulator.

    Attributes:
        known_cameras: Names of the cameras that the simulator has.
        redraws: Whether demonstrations hold states that can be drawn later instead of images.
        variation: The variation of the task that the next episode has.
        cameras: Names of the cameras it looks through.
        image_size: Of their square pictures, in pixels.
        max_steps: Actions until an episode is truncated.
        strict: Whether what is wrong with an action is raised instead of ending the episode.
    """

    known_cameras: ClassVar[tuple[str, ...]] = CAMERAS
    redraws: ClassVar[bool]
    variation: int
    cameras: tuple[str, ...]
    image_size: int
    max_steps: int
    strict: bool

    @classmethod
    @abstractmethod
    def variation_count(cls, task: str) -> int:
        """How many variations a task has.

        Raises:
            UnknownNameError: There is no such task.
            MissingSimulatorError: The simulator is not installed.
        """

    @classmethod
    @abstractmethod
    def step_limit(cls, task: str) -> int:
        """How many actions an episode of a task may take unless the user says otherwise."""

    @classmethod
    def check_cameras(cls, cameras: Sequence[str]) -> None:
        """Raise UnknownNameError unless the simulator has all of these."""
        for camera in cameras:
            if camera not in cls.known_cameras:
                raise UnknownNameError("camera", camera, cls.known_cameras)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Versions of what the simulator is made of, beyond what robomtl always requires."""
        return {}

    @abstractmethod
    def collect_demo(self, seed: int) -> Demo:
        """Record a demonstration, in the present variation.

        Args:
            seed: Picks the scene.

        Raises:
            DemonstrationError: The expert failed in every attempt.
        """


def check_variation(task: str, variation: int, count: int) -> int:
    """The variation, if the task has it.

    Raises:
        UnknownNameError: It is not within 0 to ``count - 1``.
    """
    if not 0 <= variation < count:
        raise UnknownNameError(f"variation of {task}", variation, [f"0 to {count - 1}"])
    return variation
