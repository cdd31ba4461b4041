"""What has happened, remembered for each task alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import BaseBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples

from robomtl.agents.sac.exceptions import NonFiniteTransitionError, SettingError
from robomtl.agents.sac.observation import Layout


class TaskReplay(ReplayBuffer):
    """The last transitions of each task, float32, drawn from in equal numbers.

    Stable-Baselines3's buffer draws rows of any environment: tasks would have unequal shares of a
    batch. Here a transition is one row of `rows`, (T, capacity, W): state, next state, action,
    reward, and whether the episode ended there for good. States are kept without the task's
    one-hot, which a row's place tells. An episode that was cut off by a time limit did not end:
    its last state has a value.

    Args:
        buffer_size: Transitions to remember, of all tasks together.
        observation_space: Vectors that end with the task's one-hot.
        action_space: Bounds of an action.
        device: Where samples go.
        n_envs: Number of tasks T.
        optimize_memory_usage: Must be false.
        tasks: Names of the tasks.
        seed: Seed of what is drawn; none for another one each time.

    Attributes:
        total: Steps of each environment that were ever added.
        rows: The ring; step i is at i modulo the capacity.
        history: An object that stands for all that was added since the replay was made or last
            reset; another replay has another.

    Raises:
        SettingError: There is not enough memory for so many transitions.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        *,
        tasks: Sequence[str],
        seed: int | None = None,
    ) -> None:
        if optimize_memory_usage:
            raise SettingError("TaskReplay keeps next states; it cannot do with half the memory.")
        # Not ReplayBuffer's: its arrays are of another order, which this class does without.
        BaseBuffer.__init__(self, buffer_size, observation_space, action_space, device, n_envs)
        self.buffer_size = max(buffer_size // n_envs, 1)
        self.tasks = tuple(tasks)
        self.layout = Layout.of(observation_space.shape or (), n_envs)
        self.generator = np.random.default_rng(seed)
        self.handle_timeout_termination = True  # Stable-Baselines3 asks when it loads a buffer
        self.total = 0
        self.history = object()
        width = 2 * self.layout.states + self.action_dim + 2
        try:
            self.rows = np.zeros((n_envs, self.buffer_size, width), dtype=np.float32)
        except (MemoryError, ValueError):
            needed = 4e-9 * n_envs * self.buffer_size * width
            raise SettingError(
                f"Remembering {self.buffer_size:,} transitions of each task takes {needed:,.0f} GB "
                "of memory, more than there is: choose a smaller buffer_size."
            ) from None

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Remember one step of each task.

        Raises:
            NonFiniteTransitionError: Something is NaN or infinite; the message names the tasks.
        """
        states = self.layout.states
        ended = [d and not i.get("TimeLimit.truncated", False) for d, i in zip(done, infos)]  # noqa: B905
        parts = {
            "observation": obs[:, :states],
            "next observation": next_obs[:, :states],
            "action": action.reshape(self.n_envs, -1),
            "reward": reward[:, None],
            "done": np.array(ended, dtype=np.float32)[:, None],
        }
        with np.errstate(over="ignore"):  # becomes infinite, which is refused
            row = np.concatenate(list(parts.values()), 1, dtype=np.float32, casting="same_kind")
        if not np.isfinite(row).all():
            raise self._refusal(parts, row)
        self.rows[:, self.pos] = row
        self.total += 1
        self.move_to(self.total)

    def move_to(self, total: int) -> None:
        """Say that `total` steps have been added."""
        self.total = total
        self.pos = total % self.buffer_size
        self.full = total >= self.buffer_size

    def _refusal(self, parts: dict[str, np.ndarray], row: np.ndarray) -> NonFiniteTransitionError:
        largest = np.finfo(np.float32).max
        found = {
            task: next(
                f"{name} {values[i].tolist()}"
                for name, values in parts.items()
                if not (np.abs(values[i]) <= largest).all()
            )
            for i, task in enumerate(self.tasks)
            if not np.isfinite(row[i]).all()
        }
        return NonFiniteTransitionError(found, self.total)

    def reset(self) -> None:
        """Forget everything."""
        self.history = object()
        self.move_to(0)

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Draw batch_size / T transitions of each task, with replacement, task after task.

        Args:
            batch_size: Transitions to draw, a multiple of T.
            env: Must be none: samples are not normalised.

        Returns:
            Flat tensors (batch_size, ...) of which n rows of each task follow each other; states
            come without the task's one-hot.
        """
        if env is not None:
            raise SettingError("Samples are not normalised: VecNormalize is not supported.")
        each, rest = divmod(batch_size, self.n_envs)
        if rest:
            raise SettingError(f"A batch of {batch_size} cannot be shared by {self.n_envs} tasks.")
        numbers = self.generator.integers(0, self.size(), (self.n_envs, each))
        numbers += self.buffer_size * np.arange(self.n_envs)[:, None]
        rows = torch.from_numpy(self.rows).flatten(0, 1)
        drawn = rows.index_select(0, torch.from_numpy(numbers.ravel())).to(self.device)
        states = self.layout.states
        state, after, action, reward, done = drawn.split([states, states, self.action_dim, 1, 1], 1)
        return ReplayBufferSamples(state, action, after, done, reward)
