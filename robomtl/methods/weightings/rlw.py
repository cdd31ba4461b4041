"""Random loss weighting: weights drawn anew at every step (Lin et al. 2022)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from robomtl.methods.step import Step
from robomtl.methods.weightings.weighting import Weighting


class RandomLossWeighting(Weighting):
    """Weights drawn from a distribution over the simplex: they sum to 1, with mean 1 / K.

    Args:
        count: K, the number of tasks.
        seed: Where the random numbers start.
    """

    def __init__(self, count: int, *, seed: int = 0) -> None:
        self.count = count
        self._generator = torch.Generator().manual_seed(seed)

    def weights(self, step: Step) -> Tensor:
        """Return lambda for this step, (K,) float64."""
        return self._draw(torch.empty(self.count, dtype=torch.float64))

    @abstractmethod
    def _draw(self, empty: Tensor) -> Tensor:
        """Return weights, with random numbers written into a tensor (K,)."""

    def state_dict(self) -> dict[str, Any]:
        """Return where the random numbers are."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._generator.set_state(state["generator"])


class NormalRandomLossWeighting(RandomLossWeighting):
    """Softmax of standard normal numbers; the paper's RLW with the normal distribution."""

    def _draw(self, empty: Tensor) -> Tensor:
        return empty.normal_(generator=self._generator).softmax(0)


class DirichletRandomLossWeighting(RandomLossWeighting):
    """Uniform on the simplex, Dirichlet(1, ..., 1); the paper's RLW with that distribution."""

    def _draw(self, empty: Tensor) -> Tensor:
        # Independent exponential numbers over their sum are distributed so.
        exponentials = empty.exponential_(generator=self._generator)
        return exponentials / exponentials.sum()
