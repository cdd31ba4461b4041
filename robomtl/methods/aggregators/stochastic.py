"""Aggregators that draw random numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.exceptions import StateError


class StochasticAggregator(Aggregator):
    """An aggregator with its own random numbers: the same calls give the same answers.

    Args:
        seed: Where its random numbers start.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def orders(self, count: int) -> Tensor:
        """Draw for each of K tasks an order of the others, int64 (K, K - 1)."""
        keys = torch.rand(count, count, generator=self.generator, dtype=torch.float64)
        keys.fill_diagonal_(2.0)  # last, and cut off
        return keys.argsort(1)[:, :-1]

    def state_dict(self) -> dict[str, Any]:
        """Return where the random numbers are."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            StateError: The state is that of another aggregator.
        """
        if state.keys() != self.state_dict().keys():
            raise StateError(
                f"{type(self).__name__}'s state has {sorted(self.state_dict())}, "
                f"but was given {sorted(state)}."
            )
        self.generator.set_state(state["generator"])
