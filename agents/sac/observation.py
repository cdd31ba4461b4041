"""How an observation says which task it belongs to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from robomtl.agents.sac.exceptions import EnvironmentLayoutError


class Layout(NamedTuple):
    """Observations (B, states + T) end with the task's one-hot; with one task there is none.

    Attributes:
        states: Numbers that describe a state.
        tasks: Number of tasks T.
    """

    states: int
    tasks: int

    @classmethod
    def of(cls, shape: tuple[int, ...], tasks: int) -> Layout:
        """Return how observations of that shape, without the batch, are laid out.

        Raises:
            EnvironmentLayoutError: They are not vectors, or too short to hold a state and a task.
        """
        states = shape[0] - (tasks if tasks > 1 else 0) if len(shape) == 1 else 0
        if states < 1:
            raise EnvironmentLayoutError(
                f"Observations have shape {shape}; multi-task SAC needs vectors, which end with "
                f"the one-hot of {tasks} tasks if there are several."
            )
        return cls(states, tasks)

    def split(self, observations: Tensor) -> tuple[Tensor, list[int]]:
        """Return states (B, states) float32, and the number of each group's task: each row's."""
        observations = observations.float()
        if self.tasks == 1:
            return observations, [0]
        return observations[:, : self.states], observations[:, self.states :].argmax(1).tolist()

    def check(self, observations: np.ndarray) -> None:
        """Check that environment i shows task i, given the observations (T, states + T) of all.

        Raises:
            EnvironmentLayoutError: It does not.
        """
        if self.tasks > 1 and not np.array_equal(
            observations[:, self.states :], np.eye(self.tasks)
        ):
            raise EnvironmentLayoutError(
                f"The last {self.tasks} entries of environment i's observation must be the one-hot "
                f"of task i, for each of {self.tasks} tasks. They are not: ask for observations "
                "with the task's one-hot."
            )
