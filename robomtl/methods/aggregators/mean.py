"""Mean of the task gradients."""

from torch import Tensor

from robomtl.methods.aggregators.aggregator import Aggregator


class Mean(Aggregator):
    """Averages the task gradients: alpha = w, by default all 1 / K."""

    sums = False
    signed = True

    def coefficients(self, gram: Tensor, weights: Tensor) -> Tensor:
        """Return w."""
        return weights
