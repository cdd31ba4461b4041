"""Mean of the task gradients."""

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array


class Mean(Aggregator):
    """Averages the task gradients: alpha = w, by default all 1 / K."""

    sums = False
    signed = True

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return w."""
        return weights
