"""Meta-World's benchmarks as one of Stable-Baselines3's vectorised environments."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from robomtl.envs.exceptions import (
    EnvError,
    InvalidActionError,
    ResetNeededError,
    UnknownNameError,
)
from robomtl.envs.metaworld.goal_choice import GoalChoice
from robomtl.envs.metaworld.group import Arrays, Group
from robomtl.envs.metaworld.ray import RayWorkers
from robomtl.envs.metaworld.single_task import OBSERVATION, check_settings
from robomtl.envs.metaworld.workers import Recipe, Workers

#: What must come before a step can begin, in each phase but ``"ready"``.
_BEFORE_A_STEP = {
    "new": "call reset() before the first step",
    "stepping": "a step is under way: call step_wait(), or reset() to give it up",
    "broken off": "the last step or reset was not finished: call reset()",
}


class MetaWorldVecEnv(VecEnv):
    """One environment for each task; environment i is always task i. `make_vec` makes it.

    Observations are (T, 39 + T) float32: 18 numbers of the present, 18 of the step before, 3 of
    the goal, and which task it is, one-hot (unless that is off). Actions are (T, 4), the hand's
    motion and the gripper's effort, within -1 to 1. Rewards are Meta-World's own, neither scaled
    nor normalised.

    An action may be held for several steps of the simulator. Then a reward is the mean of theirs,
    so that it is of the same size, and a task is done at a step if it was after any of them.

    An episode is truncated at the horizon and never terminated, as Meta-World trains, unless
    `stop_at_success`. When it ends, its last observation is in ``terminal_observation`` and the
    next episode begins at once. Infos are empty but then, when they have:

    - ``is_success``: whether the task was done at any step of the episode, Meta-World's measure;
    - ``success``: whether it was done at the last step;
    - ``episode``: its return ``r`` and length ``l``, in the simulator's steps, and the seconds
      ``t`` since this object was made;
    - ``TimeLimit.truncated``, ``terminal_observation``, ``task`` and ``goal``.

    Attributes:
        tasks: Names of the tasks.
        goals: How many goals each task has.
        success: (T,) whether each task was done at the latest step.
    """

    def __init__(
        self,
        goals: Mapping[str, NDArray[np.float64]],
        *,
        seed: int,
        reward: str,
        horizon: int,
        action_repeat: int,
        one_hot: bool,
        workers: int,
        transport: Literal["processes", "ray"],
        stop_at_success: bool,
    ) -> None:
        self.tasks: tuple[str, ...] = tuple(goals)
        count = len(self.tasks)
        if not 1 <= workers <= count:
            raise EnvError(f"workers must be 1 to the number of tasks, {count}; got {workers}")
        check_settings(reward, horizon, action_repeat)  # an error in a worker has another class
        self.goals = len(goals[self.tasks[0]])
        self.horizon = horizon
        self.action_repeat = action_repeat
        self.stop_at_success = stop_at_success
        recipes = [Recipe(task, goals[task], reward, horizon, action_repeat) for task in self.tasks]
        extra = count if one_hot else 0
        self._group: Group | Workers | RayWorkers
        if transport == "ray":
            self._group = RayWorkers(recipes, extra, workers)
            self._arrays = self._group.arrays
        elif transport != "processes":
            raise UnknownNameError("transport", transport, ("processes", "ray"))
        elif workers == 1:
            self._arrays = Arrays.allocate(count, extra)
            self._group = Group([recipe.make() for recipe in recipes], self._arrays)
        else:
            self._group = Workers(recipes, extra, workers)
            self._arrays = self._group.arrays
        self._arrays.observations[:, OBSERVATION:] = np.eye(count, extra)
        self._choice = GoalChoice(self.tasks, self.goals)
        self._goal = np.full(count, -1)
        self._returns = np.zeros(count)
        self._lengths = np.zeros(count, np.int64)
        self._succeeded = np.zeros(count, bool)
        self._begun = time.monotonic()
        self._phase: Literal["new", "ready", "stepping", "broken off", "closed"] = "new"
        # Meta-World's own bounds differ from task to task and are wrong for the goal (issue 599).
        observations = spaces.Box(-np.inf, np.inf, (OBSERVATION + extra,), np.float32)
        super().__init__(count, observations, spaces.Box(-1.0, 1.0, (4,), np.float32))
        self.seed(seed)

    @property
    def success(self) -> NDArray[np.bool_]:
        """(T,) whether each task was done at the latest step."""
        return self._arrays.success.copy()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Start each task's sequence of random goals anew at the next `reset`.

        The goals themselves stay those that the benchmark's seed drew.

        Args:
            seed: Not negative; drawn from the system's entropy if missing.

        Returns:
            The seed, once per task: a task's sequence depends on it and on the task's name.
        """
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        self._seeds = [seed] * self.num_envs
        return self._seeds

    def set_goals(self, goals: ArrayLike | None) -> None:
        """Have the episodes from now on go through a list of goals, and again when it is through.

        For evaluation: ``set_goals(env.evaluation_goals(episodes))`` and `reset`.

        Args:
            goals: (E,) for every task or (T, E), indices from 0; None to draw them at random again.

        Raises:
            EnvError: Wrong shape, or there is no such goal.
        """
        self._choice.follow(goals)

    def evaluation_goals(self, episodes: int) -> NDArray[np.int64]:
        """(episodes,) goals to evaluate with, the same for whatever is evaluated.

        They are the first ones, all different while there are enough, and again from the first
        when there are not.
        """
        return np.arange(episodes) % self.goals

    def reset(self) -> NDArray[np.float32]:
        """Start an episode of every task; a step that is under way is given up.

        Returns:
            (T, 39 + T) the first observations.

        Raises:
            UnknownNameError: `set_options` gave one that is not ``goal``.
            EnvError: The environment is closed.
        """
        self._refuse_if_closed()
        goals = {}
        for index in range(self.num_envs):
            seed, options = self._seeds[index], self._options[index]
            if seed is not None:
                self._choice.seed(index, seed)
            for name in options:
                if name != "goal":
                    raise UnknownNameError("option", name, ["goal"])
            goals[index] = options["goal"] if options else self._choice.next(index)
            if goals[index] not in range(self.goals):
                raise UnknownNameError("goal", goals[index], [f"0 to {self.goals - 1}"])
        self._reset_seeds()
        self._reset_options()
        self._phase = "broken off"
        self._start(goals)
        self._arrays.success[:] = False
        self._phase = "ready"
        return self._arrays.observations.copy()

    def _start(self, goals: dict[int, int]) -> None:
        self._group.reset(goals)
        for index, goal in goals.items():
            self._goal[index] = goal
            self.reset_infos[index] = {"task": self.tasks[index], "goal": goal}
        started = list(goals)
        self._returns[started] = 0.0
        self._lengths[started] = 0
        self._succeeded[started] = False

    def step_async(self, actions: NDArray[np.float32]) -> None:
        """Begin a step; see `step_wait`.

        Raises:
            InvalidActionError: Wrong shape, or a number that is not finite.
            ResetNeededError: `reset` has not been called, or the step before was not finished.
            EnvError: The environment is closed.
        """
        self._refuse_if_closed()
        if self._phase != "ready":
            raise ResetNeededError(_BEFORE_A_STEP[self._phase])
        actions = np.asarray(actions)
        if actions.shape != self._arrays.actions.shape:
            raise InvalidActionError(
                f"actions must have shape {self._arrays.actions.shape}; got {actions.shape}"
            )
        if not np.isfinite(actions).all():
            index = int(np.isfinite(actions).all(axis=1).argmin())
            raise InvalidActionError(
                f"the action for {self.tasks[index]} at step {self._lengths[index]} of its "
                f"episode is not finite: {actions[index].tolist()}"
            )
        self._phase = "broken off"
        self._arrays.actions[:] = actions
        self._group.start_step()
        self._phase = "stepping"

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Finish a step.

        Returns:
            Observations (T, 39 + T), rewards (T,), dones (T,) and infos.

        Raises:
            SimulatorError: A reward or an observation is not finite, or a worker process died.
            EnvError: No step is under way, or the environment is closed.
        """
        self._refuse_if_closed()
        if self._phase != "stepping":
            raise EnvError("no step is under way: call step_async() first")
        self._phase = "broken off"
        self._group.finish_step()
        rewards = self._arrays.rewards.astype(np.float32)
        self._returns += self._arrays.rewards * self.action_repeat
        self._lengths += self.action_repeat
        self._succeeded |= self._arrays.success
        dones = self._lengths >= self.horizon
        if self.stop_at_success:
            dones |= self._succeeded
        infos: list[dict[str, Any]] = [{} for _ in self.tasks]
        if dones.any():
            goals = {}
            for index in map(int, np.flatnonzero(dones)):
                infos[index] = self._final_info(index)
                goals[index] = self._choice.next(index)
            self._start(goals)
        self._phase = "ready"
        return self._arrays.observations.copy(), rewards, dones, infos

    def _final_info(self, index: int) -> dict[str, Any]:
        terminated = self.stop_at_success and bool(self._succeeded[index])
        return {
            "is_success": bool(self._succeeded[index]),
            "success": bool(self._arrays.success[index]),
            "episode": {
                "r": float(self._returns[index]),
                "l": int(self._lengths[index]),
                "t": time.monotonic() - self._begun,
            },
            "TimeLimit.truncated": not terminated,
            "terminal_observation": self._arrays.observations[index].copy(),
            "task": self.tasks[index],
            "goal": int(self._goal[index]),
        }

    def state_dict(self) -> dict[str, Any]:
        """What decides the goals to come, as JSON can hold it.

        The episodes under way are not in it: who goes on from it resets, and from there on has
        the goals, and so for the same actions the episodes, that would have come next.
        """
        return self._choice.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was called; call `reset` next.

        Raises:
            EnvError: The state is of other tasks.
        """
        self._choice.load_state_dict(state)
        self._reset_seeds()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Attributes of the tasks' `SingleTask` objects.

        Raises:
            EnvError: A step is under way, or the environment is closed.
        """
        group = self._between_steps()
        return [group.get(index, attr_name) for index in self._indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the tasks' `SingleTask` objects.

        Raises:
            EnvError: A step is under way, or the environment is closed.
        """
        group = self._between_steps()
        for index in self._indices(indices):
            group.set(index, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the tasks' `SingleTask` objects.

        Raises:
            EnvError: A step is under way, or the environment is closed.
        """
        group = self._between_steps()
        return [
            group.call(index, method_name, method_args, method_kwargs)
            for index in self._indices(indices)
        ]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """All False: there are no wrappers."""
        return [False for _ in self._indices(indices)]

    def _refuse_if_closed(self) -> None:
        if self._phase == "closed":
            raise EnvError("the environment is closed: make another")

    def _between_steps(self) -> Group | Workers | RayWorkers:
        self._refuse_if_closed()
        if self._phase == "stepping":
            raise EnvError(_BEFORE_A_STEP["stepping"])
        return self._group

    def _indices(self, indices: VecEnvIndices) -> list[int]:
        # Not `_get_indices`: Stable-Baselines3 asks before `num_envs` is set.
        if indices is None:
            return list(range(len(self.tasks)))
        return [indices] if isinstance(indices, int) else list(indices)

    def close(self) -> None:
        """End the worker processes, if any, and all use of this object."""
        self._phase = "closed"
        self._group.close()
