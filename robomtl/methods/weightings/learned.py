"""Task weights that are learned by gradient descent of their own."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor


class LearnedScalars:
    """K numbers that Adam moves along given gradients.

    Each is a tensor of its own, so that one without a gradient in some step is left alone.

    Args:
        initial: Where they start, (K,).
        rate: Adam's learning rate.
    """

    def __init__(self, initial: Tensor, rate: float) -> None:
        self._scalars = [x.clone().requires_grad_() for x in initial.double().unbind()]
        self._adam = torch.optim.Adam(self._scalars, lr=rate)

    @property
    def values(self) -> Tensor:
        """The numbers, (K,) float64, without gradient."""
        return torch.stack([x.detach() for x in self._scalars])

    @values.setter
    def values(self, values: Tensor) -> None:
        with torch.no_grad():
            for scalar, value in zip(self._scalars, values.unbind(), strict=True):
                scalar.copy_(value)

    def descend(self, gradients: Tensor, which: Tensor | None = None) -> None:
        """Take a step against gradients (K,), of all numbers or of those in `which`, (K,) bool."""
        for number, (scalar, gradient) in enumerate(zip(self._scalars, gradients, strict=True)):
            moved = which is None or bool(which[number])
            scalar.grad = gradient.to(scalar) if moved else None
        self._adam.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers and Adam's averages."""
        return {"values": self.values, "adam": deepcopy(self._adam.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.values = state["values"]
        self._adam.load_state_dict(deepcopy(state["adam"]))
