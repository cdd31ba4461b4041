"""Sum of the task gradients."""

from torch import Tensor

from robomtl.methods.aggregators.aggregator import Aggregator


class Sum(Aggregator):
    """Adds the task gradients: alpha = w, by default all 1."""

    sums = True
    signed = True

    def coefficients(self, gram: Tensor, weights: Tensor) -> Tensor:
        """Return w."""
        return weights
