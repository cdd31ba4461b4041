"""A vector of tiny tasks, deterministic and quick, whose state can be put back."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

_SPEED = 0.3


class Points(VecEnv):
    """T points on a plane that should go where their task says, within `horizon` steps.

    Observations are position and velocity, and the task's one-hot if there are several tasks.
    """

    def __init__(self, count: int = 3, *, horizon: int = 10, seed: int = 0, ends: bool = False):
        self.tasks = tuple(f"go{number}" for number in range(count))
        self.horizon = horizon
        self.ends = ends
        self.generator = np.random.default_rng(seed)
        angles = 2 * np.pi * np.arange(count) / count
        self.goals = np.stack((np.cos(angles), np.sin(angles)), 1)
        self.poison: dict[int, float] = {}
        size = 4 + (count if count > 1 else 0)
        super().__init__(
            count,
            spaces.Box(-np.inf, np.inf, (size,), np.float64),
            spaces.Box(-1, 1, (2,), np.float32),
        )
        self._start(range(count), first=True)

    def _start(self, numbers, *, first=False):
        if first:
            self.state = np.zeros((self.num_envs, 4))
            self.age = np.zeros(self.num_envs, dtype=int)
            self.gained = np.zeros(self.num_envs)
        for number in numbers:
            self.state[number] = [*self.generator.normal(0, 0.3, 2), 0, 0]
            self.age[number] = 0
            self.gained[number] = 0

    def observations(self):
        if self.num_envs == 1:
            return self.state.copy()
        return np.concatenate((self.state, np.eye(self.num_envs)), 1)

    def reset(self):
        self._start(range(self.num_envs))
        return self.observations()

    def step_async(self, actions):
        self.actions = np.asarray(actions, dtype=np.float64)

    def step_wait(self):
        self.state[:, 2:] = _SPEED * self.actions
        self.state[:, :2] += self.state[:, 2:]
        distance = np.linalg.norm(self.state[:, :2] - self.goals, axis=1)
        rewards = -distance
        for number, value in self.poison.items():
            rewards[number] = value
        self.age += 1
        self.gained += rewards
        reached = self.ends & (distance < 0.2)
        dones = (self.age >= self.horizon) | reached
        infos: list[dict[str, Any]] = [{} for _ in self.tasks]
        last = self.observations()
        for number in np.flatnonzero(dones):
            infos[number] = {
                "terminal_observation": last[number],
                "TimeLimit.truncated": not reached[number],
                "episode": {"r": self.gained[number], "l": int(self.age[number]), "t": 0.0},
                "is_success": bool(distance[number] < 0.5),
            }
        self._start(np.flatnonzero(dones))
        return self.observations(), rewards.astype(np.float32), dones, infos

    def state_dict(self):
        return {
            "state": self.state.tolist(),
            "age": self.age.tolist(),
            "gained": self.gained.tolist(),
            "generator": self.generator.bit_generator.state,
        }

    def load_state_dict(self, state):
        for name in ("state", "age", "gained"):
            setattr(self, name, np.array(state[name]))
        self.generator.bit_generator.state = state["generator"]
        return self.observations()

    def close(self):
        pass

    def get_attr(self, attr_name, indices=None):
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None):
        setattr(self, attr_name, value)

    def env_method(self, method_name, *args, indices=None, **kwargs):
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs
