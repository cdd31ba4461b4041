"""Weights that stay what they are."""

from __future__ import annotations

from torch import Tensor

from robomtl.methods.step import Step
from robomtl.methods.weightings.weighting import Weighting


class Constant(Weighting):
    """The same weights at every step.

    Args:
        values: The weights, (K,).
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values.double()

    def weights(self, step: Step) -> Tensor:
        """Return the weights, (K,) float64."""
        return self.values
