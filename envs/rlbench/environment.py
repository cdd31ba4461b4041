"""RLBench as a `gymnasium.Env`."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robomtl.data.demo import Demo
from robomtl.data.observation import Observation
from robomtl.envs.actions import check_action
from robomtl.envs.exceptions import (
    DemonstrationError,
    EnvError,
    InvalidActionError,
    ResetNeededError,
    UnreachablePoseError,
)
from robomtl.envs.rlbench.availability import versions
from robomtl.envs.rlbench.errors import translated
from robomtl.envs.rlbench.observation import convert
from robomtl.envs.rlbench.randomness import Randomness
from robomtl.envs.rlbench.simulator import SIMULATOR, Settings
from robomtl.envs.rlbench.tasks import MAX_STEPS, task_class, variation_count
from robomtl.envs.robot import RobotEnv, check_variation
from robomtl.envs.spaces import action_space, observation_space

_MAX_ATTEMPTS = 10  # RLBench's own number


class RLBenchEnv(RobotEnv):
    """One task of RLBench, any that it has, on CoppeliaSim.

    Actions, observations, rewards and infos are those of `robomtl.envs.TabletopEnv`, except that
    `task_low_dim_state` is in demonstrations only: RLBench says how long it is when an episode has
    begun, and its length may change from episode to episode. Images, matrices and metres come from
    RLBench as they are; its intrinsics have the principal point at half the image's size.

    A process can run one CoppeliaSim. It starts with the first `reset` or `collect_demo`, and the
    environments of a process share it: whichever is reset last has it, and the others must be
    reset before their next step. Other cameras or image sizes need a new start, which takes
    seconds.

    A seed fixes what RLBench draws while it places a scene and records. It does not fix everything:
    PyRep's planner, and the inverse kinematics that decide whether a placement will do, have
    random numbers of their own, and physics goes on from the episode before. So the same seed
    usually gives the same scene, never the same demonstration to the bit.

    Args:
        task: Name of an RLBench task, as of its file: ``"close_jar"``.
        variation: Of the task; `reset` can choose another by ``options={"variation": n}``.
        cameras: Which of `robomtl.data.CAMERAS` to look through.
        image_size: Of their square pictures, in pixels.
        max_steps: Actions until an episode is truncated; 25 unless given, as PerAct has it.
        strict: Raise what is wrong with an action instead of ending the episode.
        headless: Without a window.

    Raises:
        MissingSimulatorError: RLBench cannot run here; the message says what to install.
        UnknownNameError: There is no such task, variation or camera.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "render_fps": 20}  # type: ignore[misc]

    redraws = False

    def __init__(
        self,
        task: str,
        variation: int = 0,
        cameras: Sequence[str] = ("left_shoulder", "right_shoulder", "wrist"),
        image_size: int = 128,
        max_steps: int | None = None,
        strict: bool = False,
        headless: bool = True,
    ) -> None:
        self.check_cameras(cameras)
        self._class = task_class(task)
        self._variations = variation_count(task)
        self.task = task
        self.variation = check_variation(task, variation, self._variations)
        self.cameras = tuple(cameras)
        self.image_size = image_size
        self.max_steps = MAX_STEPS if max_steps is None else max_steps
        self.strict = strict
        self.action_space = action_space()
        # `Observation` is the dict that the space is of.
        self.observation_space = observation_space(self.cameras, image_size)  # type: ignore[assignment]
        self._settings = Settings(self.cameras, image_size, headless)
        self._random = Randomness()
        self._stage: Any = None
        self._descriptions: tuple[str, ...] = ()
        self._begun = False
        self._timestep = 0
        SIMULATOR.register(self)

    @classmethod
    def variation_count(cls, task: str) -> int:
        """How many variations a task has."""
        return variation_count(task)

    @classmethod
    def step_limit(cls, task: str) -> int:
        """The same for all tasks: RLBench has no limits of its own."""
        return MAX_STEPS

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Those of RLBench and PyRep."""
        return versions()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Picks the scene, as far as RLBench lets it be picked: see the class. Drawn from
                the environment's own generator where it is missing.
            options: ``{"variation": n}`` picks the variation of this and the following episodes.

        Returns:
            The first observation, and the info.

        Raises:
            PlacementError: RLBench found no scene in which the task can be done.
            SimulatorError: CoppeliaSim does not start.
        """
        self._begun = False
        super().reset(seed=seed)
        if options is not None and "variation" in options:
            self.variation = check_variation(self.task, options["variation"], self._variations)
        scene = int(self.np_random.integers(2**31)) if seed is None else seed
        self._take_simulator()
        self._seed(scene)
        theirs = self._new_scene()
        self._begun = True
        self._timestep = 0
        return self._observation(theirs), self._info(success=False)

    def step(
        self, action: NDArray[np.float64]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Move the gripper, then open or close it. See the class for what an action is.

        Raises:
            ResetNeededError: The episode has not begun, or another environment of this process has
                taken the simulator since.
            SimulatorError: The simulator failed.
        """
        if not (self._begun and SIMULATOR.lent_to(self)):
            raise ResetNeededError(
                f"reset {self.task} before stepping it: no episode has begun, or another "
                "environment of this process has taken the simulator since"
            )
        error, success, over = None, False, False
        self._timestep += 1
        try:
            pose, opened = check_action(action)
            with self._random, translated():
                theirs, reward, over = self._stage.step(np.append(pose, float(opened)))
            success = bool(reward > 0)
        except (InvalidActionError, UnreachablePoseError) as problem:
            if self.strict:
                raise
            error = type(problem).__name__
            with self._random, translated():
                theirs = self._stage.get_observation()
        terminated = success or error is not None or bool(over)
        truncated = not terminated and self._timestep >= self.max_steps
        info = self._info(success, error)
        return self._observation(theirs), float(success), terminated, truncated, info

    def collect_demo(self, seed: int) -> Demo:
        """Record a live demonstration of RLBench's planner, in the present variation.

        It holds what the environment's cameras saw at every frame, and no simulator states:
        CoppeliaSim's cannot be drawn again later.

        Args:
            seed: Picks the first attempt's scene, as `reset` does.

        Raises:
            DemonstrationError: RLBench failed ten times.
            PlacementError: RLBench found no scene in which the task can be done.
            SimulatorError: CoppeliaSim does not start.
        """
        self._begun = False
        self._take_simulator()
        # RLBench's demonstrations do not say what they show; only a reset does.
        self._seed(seed)
        self._new_scene()
        failure: RuntimeError | None = None
        for attempt in range(_MAX_ATTEMPTS):
            self._seed(seed, attempt)
            try:
                with self._random, translated():
                    (theirs,) = self._stage.get_demos(1, live_demos=True, max_attempts=1)
            except EnvError:
                raise
            except RuntimeError as error:  # all that RLBench says of a demonstration that failed
                failure = error
                continue
            return Demo.from_observations(
                [convert(theirs[frame], self.cameras) for frame in range(len(theirs))],
                task=self.task,
                variation=self.variation,
                seed=seed,
                descriptions=self._descriptions,
                attempts=attempt + 1,
            )
        raise DemonstrationError(
            f"RLBench failed to demonstrate {self.task} (variation {self.variation}, seed {seed}) "
            f"in {_MAX_ATTEMPTS} attempts; it logs why at level INFO. The last: {failure}"
        ) from failure

    def close(self) -> None:
        """Leave the simulator, which shuts it down unless others of this process use it."""
        self._begun = False
        SIMULATOR.leave(self)

    def _take_simulator(self) -> None:
        if not SIMULATOR.lent_to(self):
            self._stage = SIMULATOR.lend(self, self._settings, self._class)
        self._stage.set_variation(self.variation)

    def _seed(self, scene: int, attempt: int = 0) -> None:
        # A string's own hash differs from process to process.
        self._random.seed(zlib.crc32(self.task.encode()), self.variation, scene, attempt)

    def _new_scene(self) -> Any:
        with self._random, translated():
            descriptions, theirs = self._stage.reset()
        self._descriptions = tuple(descriptions)
        return theirs

    def _observation(self, theirs: Any) -> Observation:
        observation = convert(theirs, self.cameras)
        del observation["task_low_dim_state"]
        observation["timestep"] = np.array(self._timestep)
        return observation

    def _info(self, success: bool, error: str | None = None) -> dict[str, Any]:
        return {
            "success": success,
            "descriptions": self._descriptions,
            "variation": self.variation,
            "error": error,
        }
