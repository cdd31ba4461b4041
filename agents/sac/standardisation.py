"""States brought to zero mean and unit deviation, each task's by its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_SMALLEST, _LARGEST = 1e-2, 10.0


class Standardisation(nn.Module):
    """(s - mean) / deviation of each task's states so far, by Welford's recursion.

    Meta-World's states are places in metres, of which all that matters is a few centimetres around
    something that is a task's own: as they are, networks hardly see it. Actor and critics share
    one object, so that they agree. Our choices: deviations below 0.01 count as 0.01, so that what
    never moves is not blown up, and results are clipped at 10.

    Args:
        tasks: Number of tasks T.
        states: Numbers that describe a state.

    Attributes:
        count: How many states of each task were seen.
        mean: Their means (T, states), float64.
        squares: Sums of squared distances from the mean (T, states), float64.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, tasks: int, states: int) -> None:
        super().__init__()
        # Not buffers: not every device has numbers of double precision.
        self.count = 0
        self.mean = np.zeros((tasks, states))
        self.squares = np.zeros((tasks, states))
        self.register_buffer("shift", torch.zeros(tasks, states))
        self.register_buffer("scale", torch.ones(tasks, states))

    def see(self, states: NDArray[np.floating]) -> None:
        """Take in one more state of each task, (T, states)."""
        self.count += 1
        distance = states - self.mean
        self.mean += distance / self.count
        self.squares += distance * (states - self.mean)
        deviation = np.maximum(np.sqrt(self.squares / self.count), _SMALLEST)
        self.shift.copy_(torch.from_numpy(self.mean).float())
        self.scale.copy_(torch.from_numpy(1 / deviation).float())

    def forward(self, states: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return states (B, states) standardised.

        Args:
            states: B / G rows of each group after the other.
            tasks: Number of the task of each of the G groups.
        """
        numbers = list(tasks)
        groups = states.unflatten(0, (len(numbers), -1))
        shifted = (groups - self.shift[numbers, None]) * self.scale[numbers, None]
        return shifted.clamp(-_LARGEST, _LARGEST).flatten(0, 1)

    def get_extra_state(self) -> dict[str, Any]:
        """Return the statistics, for `state_dict`."""
        return {
            "count": self.count,
            "mean": self.mean.tolist(),
            "squares": self.squares.tolist(),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on from saved statistics."""
        self.count = state["count"]
        self.mean, self.squares = np.array(state["mean"]), np.array(state["squares"])
