"""Weightings whose weights follow from learned numbers."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from robomtl.methods.weightings.learned import LearnedScalars
from robomtl.methods.weightings.weighting import Weighting


class LearnedWeighting(Weighting):
    """Keeps a number per task that Adam moves, and saves it.

    Args:
        initial: Where the numbers start, (K,).
        rate: Adam's learning rate.
    """

    def __init__(self, initial: Tensor, rate: float) -> None:
        self._learned = LearnedScalars(initial, rate)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return self._learned.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._learned.load_state_dict(state)
