"""Sum of the task gradients."""

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array


class Sum(Aggregator):
    """Adds the task gradients: alpha = w, by default all 1."""

    sums = True
    signed = True

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return w."""
        return weights
