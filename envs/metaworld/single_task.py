"""One of Meta-World's tasks, with goals to choose from."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterable, Sequence

import numpy as np
from metaworld.types import Task
from numpy.typing import NDArray

from robomtl.envs.exceptions import EnvError, SimulatorError, UnknownNameError
from robomtl.envs.metaworld.fast_steps import fast
from robomtl.envs.metaworld.names import task_class

Array = NDArray[np.float64]

#: Length of an observation: 18 numbers of now, 18 of the step before, 3 of the goal.
OBSERVATION = 39

#: The versions of Meta-World's rewards.
REWARDS = ("v1", "v2")


def check_settings(reward: str, horizon: int, action_repeat: int) -> None:
    """Refuses settings that no task can have; see `SingleTask` for what they mean.

    Raises:
        UnknownNameError: There is no such reward.
        EnvError: The horizon is not a positive multiple of `action_repeat`.
    """
    if reward not in REWARDS:
        raise UnknownNameError("reward", reward, REWARDS)
    if horizon < 1:
        raise EnvError(f"the horizon must be at least 1 step, not {horizon}")
    if action_repeat < 1 or horizon % action_repeat:
        raise EnvError(
            f"action_repeat must be at least 1 and divide the horizon, {horizon}; "
            f"it is {action_repeat}"
        )


class SingleTask:
    """Steps one task; observations show the goal, as in all MT benchmarks.

    Args:
        name: Name of the task.
        goals: (G, D) its goals, see `robomtl.envs.metaworld.goals`.
        reward: One of `REWARDS`.
        horizon: Simulator steps that an episode may have.
        action_repeat: Simulator steps for which an action is held; they must divide the horizon.
        visuals: Keep what only cameras see.

    Raises:
        UnknownNameError: There is no such task or reward.
        EnvError: The horizon is not a positive multiple of `action_repeat`.
    """

    render_mode = None  # Stable-Baselines3 asks

    def __init__(
        self,
        name: str,
        goals: Array,
        *,
        reward: str = "v2",
        horizon: int = 500,
        action_repeat: int = 1,
        visuals: bool = False,
    ) -> None:
        check_settings(reward, horizon, action_repeat)
        self.name = name
        self.reward = reward
        self.goals = goals
        self.goal = -1
        self.action_repeat = action_repeat
        self.simulator = fast(name, visuals)(reward_function_version=reward)
        self.simulator.max_path_length = horizon

    @property
    def horizon(self) -> int:
        """Simulator steps that an episode may have."""
        return int(self.simulator.max_path_length)

    def reset(self, goal: int) -> Array:
        """Start an episode.

        Args:
            goal: Which of the goals.

        Returns:
            (39,) the first observation.
        """
        self.goal = goal
        return self.reset_to(self.goals[goal])

    def reset_to(self, goal: Array) -> Array:
        """Start an episode with a goal that need not be in the list, (D,)."""
        scene = {"rand_vec": goal, "env_cls": task_class(self.name), "partially_observable": False}
        # Meta-World takes a goal in no other way. The bytes never leave this line.
        self.simulator.set_task(Task(env_name=self.name, data=pickle.dumps(scene)))
        return self.simulator.reset()[0]

    def step(self, action: NDArray[np.float32]) -> tuple[Array, float, bool]:
        """Take an action, for as many simulator steps as it is held.

        Args:
            action: (4,) how to move the hand along x, y and z, 1 being 1 cm (Meta-World clips at
                ±1), and how hard to close the gripper, -1 to 1.

        Returns:
            The observation (39,), the mean reward of these steps, and whether the task was done
            after any of them.

        Raises:
            SimulatorError: The observation or the reward is not finite.
        """
        return step_together([self], [action])[0]

    def _outcome(self, action: NDArray[np.float32]) -> tuple[Array, float, bool]:
        """What came out of one step of the simulator, once it is checked."""
        observation, reward, info = self.simulator.outcome(action)
        # Quicker than to ask of each number; huge ones, which are finite, are asked about below.
        finite = math.isfinite(reward + observation.dot(observation))
        if not finite and not (np.isfinite(reward) and np.isfinite(observation).all()):
            raise SimulatorError(
                f"{self.name} gave reward {reward} and observation {observation.tolist()} at step "
                f"{self.simulator.curr_path_length} with goal {self.goal} and action "
                f"{action.tolist()}; both must be finite"
            )
        return observation, float(reward), info["success"] > 0


def step_together(
    tasks: Sequence[SingleTask], actions: Iterable[NDArray[np.float32]]
) -> list[tuple[Array, float, bool]]:
    """Take an action in each of some tasks that hold actions for equally long.

    The physics of all comes before the rewards of all: each finds itself in the processor's caches.

    Returns:
        What `SingleTask.step` does, of each.

    Raises:
        SimulatorError: The observation or the reward of any is not finite.
    """
    pairs = list(zip(tasks, actions, strict=True))
    repeats = tasks[0].action_repeat
    totals, done = [0.0] * len(pairs), [False] * len(pairs)
    for _ in range(repeats):
        for task, action in pairs:
            task.simulator.aim(action)
        for task in tasks:
            task.simulator.simulate()
        outcomes = [task._outcome(action) for task, action in pairs]
        for index, (_, reward, success) in enumerate(outcomes):
            totals[index] += reward
            done[index] |= success
    return [
        (observation, total / repeats, success)
        for (observation, _, _), total, success in zip(outcomes, totals, done, strict=True)
    ]
