"""GradVac: the sum of the task gradients, each turned towards others as usual between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.exceptions import StateError
from robomtl.methods.aggregators.stochastic import StochasticAggregator
from robomtl.methods.exceptions import MethodError


class GradVac(StochasticAggregator):
    """Turns each gradient until it is as similar to the others as it usually is, then sums.

    Wang et al., Gradient Vaccine (ICLR 2021), Algorithm 1. With c the cosine of g_i' and g_j,
    and t_ij its moving average, for each task i and, in random order, every other task j:

        g_i' <- g_i' + |g_i'| (t sqrt(1 - c^2) - c sqrt(1 - t^2)) / (|g_j| sqrt(1 - t^2)) g_j
                if c < t_ij
        t_ij <- (1 - decay) t_ij + decay c

    after which the cosine is t. The averages start at 0, so the first call is PCGrad. Weights
    scale the gradients: r_i = w_i.

    Where the paper is silent: t near 1 would need an endless multiple of g_j, so sqrt(1 - t^2)
    is at least 1e-3; a pair of which one has no gradient has no cosine and is passed over.

    Args:
        decay: Share of the new cosine in the average, the paper's beta. The default is that of
            LibMTL and TorchJD.
        seed: Where the random orders start.

    Raises:
        MethodError: `decay` is not within [0, 1].
    """

    sums = True
    signed = True

    def __init__(self, *, decay: float = 0.5, seed: int = 0) -> None:
        if not 0 <= decay <= 1:
            raise MethodError(f"GradVac's decay must be within [0, 1], not {decay}.")
        super().__init__(seed=seed)
        self.decay = decay
        self.targets: Array | None = None

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return the summed coefficients of all turned gradients.

        Raises:
            StateError: The averages are those of another number of tasks.
        """
        if self.targets is None:
            self.targets = np.zeros_like(gram)
        elif self.targets.shape != gram.shape:
            raise StateError(
                f"GradVac remembers cosines of {len(self.targets)} tasks and was given "
                f"{len(gram)}. Make a new one for other tasks."
            )
        scaled = gram * weights * weights[:, None]
        orders = self.orders(len(gram)).numpy()
        return weights * turned(scaled, orders, self.targets, self.decay).sum(0)

    def state_dict(self) -> dict[str, Any]:
        """Return the averages and where the random numbers are."""
        targets = None if self.targets is None else torch.tensor(self.targets)
        return {**super().state_dict(), "targets": targets}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            StateError: The state is that of another aggregator.
        """
        super().load_state_dict(state)
        self.targets = None if state["targets"] is None else state["targets"].numpy().copy()


def turned(gram: Array, orders: NDArray[np.int64], targets: Array, decay: float) -> Array:
    """Return the coefficients of each turned gradient as rows, (K, K); `targets` moves on.

    Args:
        gram: Gram matrix, (K, K).
        orders: Row i lists the other tasks in the order in which task i meets them.
        targets: Moving averages of the cosines, (K, K), changed in place.
        decay: Share of the new cosine in the average.
    """
    rows = np.arange(len(gram))
    coefficients = np.eye(len(gram))
    products = gram.copy()  # of each turned gradient with each original one
    lengths = np.sqrt(gram.diagonal())
    for others in orders.T:
        length = np.sqrt(np.maximum((products * coefficients).sum(1), 0))
        meet = (length > 0) & (lengths[others] > 0)
        both = np.where(meet, length * lengths[others], 1.0)
        cosine = np.clip(products[rows, others] / both, -1, 1)
        target = targets[rows, others]
        sine = np.sqrt(1 - cosine**2)
        target_sine = np.sqrt(np.maximum(1 - target**2, 1e-6))
        turn = (target * sine / target_sine - cosine) * length**2 / both
        turn = np.where(meet & (cosine < target), turn, 0.0)
        coefficients[rows, others] += turn
        products += turn[:, None] * gram[others]
        targets[rows, others] = np.where(meet, target + decay * (cosine - target), target)
    return coefficients
