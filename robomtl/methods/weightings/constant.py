"""Weights that stay what they are."""

from __future__ import annotations

from torch import Tensor

from robomtl.methods.aggregators.exceptions import WeightsError
from robomtl.methods.recipe import Recipe
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


def fixed(recipe: Recipe) -> Constant:
    """Return the given weights.

    Raises:
        MissingArgumentError: There is not one weight for each task.
        WeightsError: Some are negative or not finite, or all are 0.
    """
    weights = recipe.given_weights()
    if not (weights.isfinite() & (weights >= 0)).all() or not weights.any():
        raise WeightsError(
            f"{recipe.name!r} needs weights that are finite, not negative and not all 0, "
            f"not {recipe.weights}."
        )
    return Constant(weights)
