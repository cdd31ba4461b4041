"""Random actions that are held for a while."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robomtl.agents.sac.randomness import generator_state, restore_generator

_EXPONENT = 2.0
_LONGEST = 32  # actions


class EZGreedy:
    """Now and then, a task's actions are replaced by a random one, held for a random while.

    Dabney et al., Temporally-Extended epsilon-Greedy Exploration (2021): while nothing is held, the
    next action begins to be one with probability epsilon, drawn uniformly. It is held for n
    actions, with a probability that falls as 1 / n^2. So most last for an action or two, and some
    carry a hand from one side of a handle to the other, which a policy's own noise, that changes
    its mind with each action, does not. At most 32 actions is our choice, a third of an episode of
    `lite`: longer ones would only find the end of the hand's reach.

    Args:
        tasks: Number of tasks T.
        actions: Numbers A that an action consists of.
        epsilon: Probability with which one begins.
        seed: What they are drawn by.
    """

    def __init__(self, tasks: int, actions: int, epsilon: float, seed: int) -> None:
        self.epsilon = epsilon
        self._generator = np.random.default_rng(seed)
        self._held = np.zeros((tasks, actions), np.float32)
        self._left = np.zeros(tasks, np.int64)

    def replace(self, actions: NDArray[Any], *, always: bool = False) -> NDArray[Any]:
        """Return actions (T, A) of which some are replaced by held ones.

        Args:
            actions: What would be done, (T, A), within -1 to 1.
            always: Whether to begin another whenever one ends, whatever epsilon is.
        """
        free = self._left == 0
        begins = free & (always | (self._generator.random(len(free)) < self.epsilon))
        count = begins.sum()
        lengths = self._generator.zipf(_EXPONENT, count)
        self._left[begins] = np.minimum(lengths, _LONGEST)
        self._held[begins] = self._generator.uniform(-1, 1, (count, actions.shape[1]))
        holds = self._left > 0
        self._left -= holds
        return np.where(holds[:, None], self._held, actions)

    def state_dict(self) -> dict[str, Any]:
        """Return what is held, and where the generator stands."""
        return {
            "generator": generator_state(self._generator),
            "held": torch.from_numpy(self._held.copy()),
            "left": torch.from_numpy(self._left.copy()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        restore_generator(self._generator, state["generator"])
        self._held = state["held"].numpy().copy()
        self._left = state["left"].numpy().copy()
