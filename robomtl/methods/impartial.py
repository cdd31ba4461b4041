"""IAL: impartial decoders, and an encoder that the primary tasks rule (Li et al.)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.exceptions import WeightsError
from robomtl.methods.combination import Combination
from robomtl.methods.recipe import Recipe
from robomtl.methods.weightings.uncertainty import Uncertainty


class Impartial(Aggregator):
    """Lets auxiliary gradients be as long as the primary one, less the more uncertain they are.

    Li et al., Unprejudiced Training Auxiliary Tasks Makes Primary Better, Eq. 7 to 9. With z_t the
    gradient of task t with respect to the shared representation,

        alpha_t = 1 for primary tasks, f(sigma_t) |z_pri| / |z_t| for auxiliary ones,
        f(sigma) = min(1, g(1 - sigma))

    where sigma_t = (2 w_t)^(-1/2) belongs to the uncertainty weight w_t (Eq. 3). Of g the paper
    says that it maps to [0, inf); we take max(0, .), so tasks with sigma >= 1 do not teach the
    encoder. It has one primary task; with several, z_pri is the sum of their gradients. Where an
    auxiliary task has no gradient alpha is 0, and so it is where the primary tasks have none.

    The authors' code differs from the paper, and from this: f is not clamped, and turns negative
    for sigma > 1; entries of auxiliary gradients whose sign opposes the primary gradient's are set
    to zero; norms may be running averages; and the primary gradient carries its uncertainty weight.

    Args:
        primary: Whether each task is primary, at least one is, (K,) bool.

    Raises:
        WeightsError: No task is primary.
    """

    sums = True

    def __init__(self, primary: Sequence[bool]) -> None:
        self.primary = np.array(primary, dtype=bool)
        if not self.primary.any():
            raise WeightsError(
                "IAL scales auxiliary gradients to the primary one: none is primary."
            )

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return alpha.

        Raises:
            WeightsError: There are not as many tasks as `primary` has entries.
        """
        if len(gram) != len(self.primary):
            raise WeightsError(f"There are {len(gram)} tasks; `primary` names {len(self.primary)}.")
        # What cancels in the sum of primary gradients may come out below zero by rounding.
        length = np.sqrt(max(0.0, gram[np.ix_(self.primary, self.primary)].sum()))
        own = np.sqrt(gram.diagonal())
        # Where w is at most 1 / 2, sigma is 1 or more and f(sigma) 0.
        certainty = 1 - 1 / np.sqrt(2 * np.maximum(weights, 0.5))
        alpha = np.divide(certainty * length, own, out=np.zeros_like(own), where=own > 0)
        return np.where(self.primary, 1.0, alpha)


def impartial_auxiliary_learning(recipe: Recipe) -> Combination:
    """Return IAL: uncertainty weights for the decoders, `Impartial` for the encoder.

    Each decoder gets lambda_t times its own gradient (Eq. 5), which no other task has a say in;
    the encoder gets what follows by the chain rule from sum_t alpha_t z_t (Eq. 10).

    Raises:
        MissingArgumentError: All tasks are primary.
    """
    auxiliary = recipe.auxiliary()
    return Combination(
        recipe.tasks,
        Uncertainty(len(recipe.tasks), rate=recipe.rate_or(1e-3)),
        Impartial([task not in auxiliary for task in recipe.tasks]),
        at_representation=True,
    )
