"""The tabletop as a `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robomtl.data.demo import Demo
from robomtl.data.observation import Observation
from robomtl.envs.actions import check_action
from robomtl.envs.exceptions import (
    InvalidActionError,
    ResetNeededError,
    UnknownNameError,
    UnreachablePoseError,
)
from robomtl.envs.robot import RobotEnv, check_variation
from robomtl.envs.spaces import action_space, observation_space
from robomtl.envs.tabletop.cameras import extrinsics, intrinsics
from robomtl.envs.tabletop.episode import Episode
from robomtl.envs.tabletop.expert import collect_demo
from robomtl.envs.tabletop.poses import Pose
from robomtl.envs.tabletop.rendering import LOOKS, Renderer
from robomtl.envs.tabletop.task import Task
from robomtl.envs.tabletop.tasks import TASKS
from robomtl.envs.tabletop.world import FRAME_TIME

_AUDIENCE_SIZE = (480, 360)


class TabletopEnv(RobotEnv):
    """One task on the embedded simulator.

    An action is (8,): the pose to bring the gripper to, x y z in metres and qx qy qz qw, and then
    whether it should be open (> 0.5). The arm stops as soon as the task is done. The reward is 1
    then, else 0. An action that is invalid or cannot be reached ends the episode as a failure,
    with the error's name under ``error`` in the info.

    Args:
        task: One of the names in `robomtl.envs.TASKS`.
        variation: Of the task; `reset` can choose another by ``options={"variation": n}``.
        cameras: Which of `robomtl.data.CAMERAS` to look through.
        image_size: Of their square pictures, in pixels.
        max_steps: Actions until an episode is truncated; the task's own number unless given.
        strict: Raise what is wrong with an action instead of ending the episode.
        look: ``"fast"`` or ``"pretty"``.
        render_mode: ``"rgb_array"`` for pictures from `render`, a view for people.

    Raises:
        UnknownNameError: There is no such task, variation, camera or look.
        RenderingError: There is no usable OpenGL (on the first picture).
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array"],
        "render_fps": round(1 / FRAME_TIME),
    }

    redraws = True

    def __init__(
        self,
        task: str,
        variation: int = 0,
        cameras: Sequence[str] = ("left_shoulder", "right_shoulder", "wrist"),
        image_size: int = 128,
        max_steps: int | None = None,
        strict: bool = False,
        look: str = "fast",
        render_mode: str | None = None,
    ) -> None:
        kind = _known(task)
        self.check_cameras(cameras)
        if look not in LOOKS:
            raise UnknownNameError("look", look, LOOKS)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UnknownNameError("render mode", render_mode, self.metadata["render_modes"])
        self._episode = Episode(kind)
        self.task = self._episode.task
        self.variation = check_variation(task, variation, kind.variations)
        self.cameras = tuple(cameras)
        self.image_size = image_size
        self.max_steps = kind.max_steps if max_steps is None else max_steps
        self.strict = strict
        self.look = look
        self.render_mode = render_mode
        self.action_space = action_space()
        things = 7 * len(self._episode.world.bodies)
        # `Observation` is the dict that the space is of.
        self.observation_space = observation_space(self.cameras, image_size, things)  # type: ignore[assignment]
        self._renderer: Renderer | None = None
        self._audience: Renderer | None = None
        self._begun = False
        self._timestep = 0
        #: Set it to a list to make a film: each frame's state is added, which `picture` draws.
        self.film: list[NDArray[np.float64]] | None = None

    @classmethod
    def variation_count(cls, task: str) -> int:
        """How many variations a task has."""
        return _known(task).variations

    @classmethod
    def step_limit(cls, task: str) -> int:
        """The task's own number of actions."""
        return _known(task).max_steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Picks the scene, the same in which `collect_demo` makes its first attempt; drawn
                from the environment's own generator where it is missing.
            options: ``{"variation": n}`` picks the variation of this and the following episodes.

        Returns:
            The first observation, and the info.
        """
        super().reset(seed=seed)
        self._begun = False
        if options is not None and "variation" in options:
            self.variation = check_variation(
                self.task.name, options["variation"], self.task.variations
            )
        scene = int(self.np_random.integers(2**31)) if seed is None else seed
        self._episode.reset(self.variation, scene)
        self._timestep = 0
        self._begun = True
        return self._observe(), self._info()

    def step(
        self, action: NDArray[np.float64]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Move the gripper, then open or close it. See the class for what an action is.

        Raises:
            ResetNeededError: No episode has begun, or the scene has been used otherwise since.
        """
        if not self._begun:
            raise ResetNeededError("call reset() before the first step")
        error = None
        self._timestep += 1
        try:
            pose, opened = check_action(action)
            self._act(Pose.from_vector(pose), opened)
        except (InvalidActionError, UnreachablePoseError) as problem:
            if self.strict:
                raise
            error = type(problem).__name__
        success = error is None and self.task.succeeded()
        truncated = not success and error is None and self._timestep >= self.max_steps
        terminated = success or error is not None
        return self._observe(), float(success), terminated, truncated, self._info(error)

    def _act(self, pose: Pose, opened: bool) -> None:
        for _ in self._episode.arm.move_to(pose):
            if self.film is not None:
                self.film.append(self._episode.world.state())
            if self.task.succeeded():
                return
        self._episode.arm.actuate_gripper(opened)
        if self.film is not None:
            self.film.append(self._episode.world.state())

    def collect_demo(self, seed: int) -> Demo:
        """Record the expert's demonstration for a seed, in the present variation.

        An episode that is under way ends.

        Raises:
            DemonstrationError: The expert failed ten times.
        """
        self._begun = False
        return collect_demo(self._episode, self.variation, seed)

    def observe(self, demo: Demo, frame: int, masks: bool = False) -> Observation:
        """A frame of a stored demonstration, seen through this environment's cameras.

        An episode that is under way ends.

        Args:
            demo: With simulator states.
            frame: Which of its frames.
            masks: Whether to add each camera's mask: MuJoCo's ids of the bodies, 0 the room.

        Raises:
            ValueError: The demonstration is of another task or holds no simulator states.
        """
        if demo.task != self.task.name:
            raise ValueError(f"a demo of {demo.task!r} cannot be shown in {self.task.name!r}")
        if demo.states is None:
            raise ValueError("the demo holds no simulator states, so it cannot be rendered")
        self._begun = False
        self._episode.world.restore(demo.states[frame])
        observation = Observation(demo[frame] | self._pictures())
        if masks and self._renderer is not None:
            for camera in self.cameras:
                observation[f"{camera}_mask"] = self._renderer.mask(camera)
        return observation

    def _observe(self) -> Observation:
        observation = self._episode.low_dim()
        observation["timestep"] = np.array(self._timestep)
        observation.update(self._pictures())
        return observation

    def _pictures(self) -> dict[str, NDArray[Any]]:
        pictures: dict[str, NDArray[Any]] = {}
        if not self.cameras:
            return pictures
        if self._renderer is None:
            size = self.image_size
            self._renderer = Renderer(self._episode.world, size, size, self.look)
        self._renderer.update()
        world = self._episode.world
        for camera in self.cameras:
            rgb, depth = self._renderer.rgb_and_depth(camera)
            pictures[f"{camera}_rgb"] = rgb
            pictures[f"{camera}_depth"] = depth
            pictures[f"{camera}_camera_intrinsics"] = intrinsics(camera, self.image_size)
            pictures[f"{camera}_camera_extrinsics"] = extrinsics(world.model, world.data, camera)
        return pictures

    def render(self) -> NDArray[np.uint8] | None:
        """(360, 480, 3) the scene as a person would watch it, in render mode ``"rgb_array"``."""
        return None if self.render_mode is None else self._picture()

    def picture(self, state: NDArray[np.float64]) -> NDArray[np.uint8]:
        """(360, 480, 3) a state of this task, such as one of a `film`, as a person would see it.

        An episode that is under way ends.
        """
        self._begun = False
        self._episode.world.restore(state)
        return self._picture()

    def _picture(self) -> NDArray[np.uint8]:
        if self._audience is None:
            self._audience = Renderer(self._episode.world, *_AUDIENCE_SIZE, self.look)
        self._audience.update()
        return self._audience.rgb_and_depth("audience")[0]

    def _info(self, error: str | None = None) -> dict[str, Any]:
        return {
            "success": error is None and self.task.succeeded(),
            "descriptions": self.task.descriptions(),
            "variation": self.variation,
            "error": error,
        }

    def close(self) -> None:
        """Give the OpenGL contexts back."""
        for renderer in (self._renderer, self._audience):
            if renderer is not None:
                renderer.close()
        self._renderer = self._audience = None


def _known(task: str) -> type[Task]:
    if task not in TASKS:
        raise UnknownNameError("task", task, TASKS)
    return TASKS[task]
