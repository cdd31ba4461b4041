"""How large returns of each task are, so that all tasks' values can be of one size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

_SMALLEST = 1e-3


class ReturnScale(nn.Module):
    """The deviation of each task's discounted returns so far.

    The return of a step is R = gamma R + r within an episode, and its deviation is over all steps
    that were seen, by Welford's recursion. Rewards divided by it make values of about one in every
    task, whether it is solved (10 a step in Meta-World) or hardly touched (0.02). A module, so
    that it is saved with the critics whose unit it is.

    Args:
        tasks: Number of tasks T.

    Attributes:
        count: How many steps of each task were seen.
        returns: Those of the episodes that are under way, (T,).
        mean: Mean of all returns, (T,).
        squares: Sums of squared distances from the mean, (T,).
    """

    def __init__(self, tasks: int) -> None:
        super().__init__()
        # Not buffers: not every device has numbers of double precision.
        self.count = 0
        self.returns = np.zeros(tasks)
        self.mean = np.zeros(tasks)
        self.squares = np.zeros(tasks)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """What to divide rewards by, (T,), at least 0.001; 1 before anything was seen."""
        if not self.count:
            return np.ones_like(self.mean)
        return np.maximum(np.sqrt(self.squares / self.count), _SMALLEST)

    def start_episodes(self) -> None:
        """Forget the episodes that are under way."""
        self.returns = np.zeros_like(self.returns)

    def see(self, rewards: NDArray[Any], dones: NDArray[Any], gamma: float) -> None:
        """Take in a step.

        Args:
            rewards: Of each task, (T,).
            dones: Whether its episode ended with it, (T,).
            gamma: Discount of a step.
        """
        self.returns = gamma * self.returns + rewards
        self.count += 1
        distance = self.returns - self.mean
        self.mean += distance / self.count
        self.squares += distance * (self.returns - self.mean)
        self.returns[np.asarray(dones, bool)] = 0.0

    def get_extra_state(self) -> dict[str, Any]:
        """Return what has been seen, for `state_dict`."""
        names = ("returns", "mean", "squares")
        return {"count": self.count, **{name: getattr(self, name).tolist() for name in names}}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on from what had been seen."""
        self.count = state["count"]
        for name in ("returns", "mean", "squares"):
            setattr(self, name, np.array(state[name]))
