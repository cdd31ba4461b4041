"""The environments of a run, made from its protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from robomtl.envs.metaworld import make_vec
from robomtl.rl.protocol import Protocol

Array = NDArray[np.float32]
Transport = Literal["processes", "ray"]


class TrainingEnv(VecEnvWrapper):
    """Environments whose run can be continued, with normalised rewards if the protocol says so.

    A run that continues starts the episodes under way anew, with the same goals. Where these had
    just begun, as they have whenever all tasks' episodes end together, nothing is lost or repeated.

    Args:
        env: Of `robomtl.envs.metaworld.make_vec`.
        rewards: What normalises rewards; none to leave them as they are.
    """

    def __init__(self, env: VecEnv, rewards: RunningDeviation | None = None) -> None:
        super().__init__(env)
        self._rewards = rewards

    def reset(self) -> Array:
        """Start an episode of every task."""
        return self.venv.reset()  # type: ignore[return-value]

    def step_wait(self) -> tuple[Array, Array, NDArray[np.bool_], list[dict[str, Any]]]:
        """Finish a step; returns of episodes stay those of the rewards as they were."""
        observations, rewards, dones, infos = self.venv.step_wait()
        if self._rewards is not None:
            rewards = self._rewards.normalise(rewards)
        return observations, rewards, dones, infos  # type: ignore[return-value]

    def state_dict(self) -> dict[str, Any]:
        """Return what decides the goals and the rewards to come."""
        state = {
            "environments": self.venv.state_dict(),  # type: ignore[attr-defined]
            "goals": [info["goal"] for info in self.venv.reset_infos],
            "rewards": None if self._rewards is None else self._rewards.state_dict(),
        }
        return {"json": json.dumps(state)}  # its integers are too long for a file of tensors

    def load_state_dict(self, state: dict[str, Any]) -> Array:
        """Continue, and return the first observations (T, states + T) of the episodes under way."""
        content = json.loads(state["json"])
        self.venv.load_state_dict(content["environments"])  # type: ignore[attr-defined]
        if self._rewards is not None:
            self._rewards.load_state_dict(content["rewards"])
        self.venv.set_options([{"goal": goal} for goal in content["goals"]])
        return self.reset()


class RunningDeviation:
    """Divides each task's rewards by a running deviation of its own.

    As in MTRL's MT10 experiments (Sodhani et al. 2021): mean and variance are exponential averages
    that start from 0 and 1 and take in a thousandth of each new reward and of its squared distance
    from the mean, before it is divided. The mean is not subtracted.

    Args:
        tasks: Number of tasks.
    """

    RATE = 1e-3

    def __init__(self, tasks: int) -> None:
        self.mean = np.zeros(tasks)
        self.variance = np.ones(tasks)

    def normalise(self, rewards: NDArray[Any]) -> Array:
        """Return the rewards (T,) of a step, each divided by its task's deviation."""
        self.mean += self.RATE * (rewards - self.mean)
        self.variance += self.RATE * ((rewards - self.mean) ** 2 - self.variance)
        return (rewards / (np.sqrt(self.variance) + 1e-8)).astype(np.float32)

    def state_dict(self) -> dict[str, Any]:
        """Return the averages."""
        return {"mean": self.mean.tolist(), "variance": self.variance.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from saved averages."""
        self.mean = np.array(state["mean"])
        self.variance = np.array(state["variance"])


def training_env(
    protocol: Protocol,
    tasks: Sequence[str],
    seed: int,
    workers: int = 1,
    transport: Transport = "processes",
) -> TrainingEnv:
    """Return the environments to learn in; the seed chooses their goals and the order of these."""
    env = _make(protocol, tasks, seed, workers, transport, stop_at_success=False)
    return TrainingEnv(env, RunningDeviation(len(tasks)) if protocol.normalise_rewards else None)


def evaluation_env(
    protocol: Protocol,
    tasks: Sequence[str],
    seed: int,
    workers: int = 1,
    transport: Transport = "processes",
) -> VecEnv:
    """Return environments with the same goals, whose episodes end as soon as the task is done."""
    return _make(protocol, tasks, seed, workers, transport, stop_at_success=True)


def _make(
    protocol: Protocol,
    tasks: Sequence[str],
    seed: int,
    workers: int,
    transport: Transport,
    *,
    stop_at_success: bool,
) -> VecEnv:
    return make_vec(
        protocol.benchmark,
        seed=seed,
        goals=protocol.goals,
        reward=protocol.reward,
        horizon=protocol.horizon,
        action_repeat=protocol.action_repeat,
        tasks=tasks,
        workers=min(workers, len(tasks)),
        transport=transport,
        one_hot=len(tasks) > 1,
        stop_at_success=stop_at_success,
    )
