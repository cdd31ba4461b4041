"""One episode of a policy in an environment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np

from robomtl.data import DemoKey, Observation
from robomtl.threads import torch_threads


class Policy(Protocol):
    """Whatever chooses actions."""

    def act(self, observation: Observation, task: str) -> np.ndarray:
        """The next action, (8,): x y z in [m], quaternion xyzw, gripper open."""


@dataclass(frozen=True)
class Episode:
    """What became of one episode."""

    task: str
    variation: int
    seed: int
    success: bool
    steps: int
    """Number of actions taken."""
    error: str | None
    """Name of the error that ended it, such as an unreachable pose; None otherwise."""

    @property
    def key(self) -> DemoKey:
        """What identifies it, as a demonstration of the same scene."""
        return DemoKey(self.task, self.variation, self.seed)


@torch_threads(1)  # in every process the same: the policy's last bits may decide an episode
def run_episode(
    env: gymnasium.Env[Observation, np.ndarray],
    policy: Policy,
    task: str,
    seed: int,
    on_action: Callable[[np.ndarray], Any] = lambda action: None,
) -> Episode:
    """Lets the policy act from `env.reset(seed=seed)` to success, error or the step limit.

    Args:
        env: Where it acts, with the cameras that the policy needs.
        policy: What acts.
        task: The task of `env`.
        seed: Picks the scene.
        on_action: Called with each action before the environment takes it.
    """
    observation, info = env.reset(seed=seed)
    steps, ended = 0, False
    while not ended:
        action = policy.act(observation, task)
        on_action(action)
        observation, _, terminated, truncated, info = env.step(action)
        steps += 1
        ended = terminated or truncated
    return Episode(task, info["variation"], seed, info["success"], steps, info["error"])
