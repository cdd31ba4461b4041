"""One task of Meta-World as a `gymnasium.Env` with this package's actions and observations."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robomtl.data.demo import Demo
from robomtl.data.observation import METAWORLD_CAMERAS, Observation
from robomtl.envs.actions import check_action
from robomtl.envs.exceptions import (
    InvalidActionError,
    ResetNeededError,
    UnreachablePoseError,
)
from robomtl.envs.robot import RobotEnv, check_variation
from robomtl.envs.spaces import action_space, observation_space

if TYPE_CHECKING:
    from robomtl.envs.metaworld.cameras import Cameras

_MAX_STEPS = 25


class MetaWorldEnv(RobotEnv):
    """One task of Meta-World, to imitate its scripted expert in.

    Actions, observations, rewards and infos are those of `robomtl.envs.TabletopEnv`, in the same
    world frame: the robot faces along x and the table top is at z = 0.75 m. What differs is
    Meta-World's nature:

    - Its gripper always points straight down. The rotation that an action asks for is ignored.
    - The hand is dragged along by a weld, whose pull is in ``joint_forces``; joints have no motors.
    - ``gripper_open`` is what was last commanded; the experts close a little at times, too.
    - ``task_low_dim_state`` is Meta-World's own observation, (39,), in its own world frame. It
      holds the goal.

    An episode's goal is drawn from its seed, not one of a benchmark's fifty. A motion ends where it
    was asked to, or where something holds the hand up, or when the task is done.

    Args:
        task: One of Meta-World's fifty, such as ``"reach-v3"``.
        variation: 0; tasks have only one.
        cameras: Which of `robomtl.data.METAWORLD_CAMERAS` to look through, and to record
            demonstrations with.
        image_size: Of their square pictures, in pixels.
        max_steps: Actions until an episode is truncated; 25 (our choice) unless given.
        strict: Raise what is wrong with an action instead of ending the episode.

    Raises:
        UnknownNameError: There is no such task, variation or camera.
        RenderingError: There is no usable OpenGL (on the first picture).
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "render_fps": 20}  # type: ignore[misc]
    known_cameras = METAWORLD_CAMERAS
    redraws = False

    def __init__(
        self,
        task: str,
        variation: int = 0,
        cameras: Sequence[str] = ("corner2", "corner3", "gripper_pov"),
        image_size: int = 128,
        max_steps: int | None = None,
        strict: bool = False,
    ) -> None:
        self.check_cameras(cameras)
        self.task = task
        self.variation = check_variation(task, variation, self.variation_count(task))
        self.cameras = tuple(cameras)
        self.image_size = image_size
        self.max_steps = self.step_limit(task) if max_steps is None else max_steps
        self.strict = strict
        self.action_space = action_space()
        from robomtl.envs.metaworld.robot import Robot

        self._robot = Robot(task, visuals=bool(cameras))
        # `Observation` is the dict that the space is of.
        self.observation_space = observation_space(self.cameras, image_size, 39)  # type: ignore[assignment]
        self._drawing: Cameras | None = None
        self._begun = False
        self._timestep = 0

    @classmethod
    def variation_count(cls, task: str) -> int:
        """One, for every task.

        Raises:
            UnknownNameError: There is no such task.
        """
        from robomtl.envs.metaworld.names import task_class

        task_class(task)
        return 1

    @classmethod
    def step_limit(cls, task: str) -> int:
        """25 actions for every task."""
        return _MAX_STEPS

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Meta-World's version."""
        return {"metaworld": metadata.version("metaworld")}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Picks the goal, the same that `collect_demo` has in its first attempt; drawn from
                the environment's own generator where it is missing.
            options: ``{"variation": 0}`` is all there is.
        """
        super().reset(seed=seed)
        if options is not None and "variation" in options:
            self.variation = check_variation(self.task, options["variation"], 1)
        scene = int(self.np_random.integers(2**31)) if seed is None else seed
        self._robot.reset(self.variation, scene)
        self._timestep = 0
        self._begun = True
        return self._counted(), self._info(None)

    def step(
        self, action: NDArray[np.float64]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Move the gripper, then open or close it. See the class for what an action is.

        Raises:
            ResetNeededError: No episode has begun.
        """
        if not self._begun:
            raise ResetNeededError("call reset() before the first step")
        error = None
        self._timestep += 1
        try:
            pose, opened = check_action(action)
            self._act(pose[:3], opened)
        except (InvalidActionError, UnreachablePoseError) as problem:
            if self.strict:
                raise
            error = type(problem).__name__
        success = error is None and self._robot.succeeded
        truncated = not success and error is None and self._timestep >= self.max_steps
        terminated = success or error is not None
        return self._counted(), float(success), terminated, truncated, self._info(error)

    def _act(self, position: NDArray[np.float64], opened: bool) -> None:
        for _ in self._robot.move_to(position):
            if self._robot.succeeded:
                return
        for _ in self._robot.actuate_gripper(opened):
            if self._robot.succeeded:
                return

    def collect_demo(self, seed: int) -> Demo:
        """Record Meta-World's expert, with pictures of this environment's cameras in every frame.

        An episode that is under way ends.

        Raises:
            DemonstrationError: The expert failed ten times.
        """
        from robomtl.envs.metaworld.expert import collect_demo

        self._begun = False
        return collect_demo(self._robot, self.variation, seed, self._descriptions(), self._observe)

    def _counted(self) -> Observation:
        observation = self._observe()
        observation["timestep"] = np.array(self._timestep)
        return observation

    def _observe(self) -> Observation:
        observation = self._robot.low_dim()
        if not self.cameras:
            return observation
        if self._drawing is None:
            from robomtl.envs.metaworld.cameras import Cameras

            self._drawing = Cameras(self._robot.model, self._robot.data, self.image_size)
        for camera in self.cameras:
            rgb, depth = self._drawing.rgb_and_depth(camera)
            observation[f"{camera}_rgb"] = rgb
            observation[f"{camera}_depth"] = depth
            observation[f"{camera}_camera_intrinsics"] = self._drawing.intrinsics(camera)
            observation[f"{camera}_camera_extrinsics"] = self._drawing.extrinsics(camera)
        return observation

    def _descriptions(self) -> tuple[str, ...]:
        """The task's name as words: Meta-World has no sentences."""
        return (self.task.rpartition("-")[0].replace("-", " "),)

    def _info(self, error: str | None) -> dict[str, Any]:
        return {
            "success": error is None and self._robot.succeeded,
            "descriptions": self._descriptions(),
            "variation": self.variation,
            "error": error,
        }

    def close(self) -> None:
        """Give the OpenGL context back."""
        if self._drawing is not None:
            self._drawing.close()
        self._drawing = None
        self._robot.close()
