"""What every aggregator is: a map from a Gram matrix of task gradients to coefficients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.exceptions import StateError
from robomtl.methods.aggregators.validation import checked_gram, checked_weights


class Aggregator(ABC):
    """Chooses alpha so that sum_i alpha_i g_i is the update for K task gradients g_i.

    Task weights w say how much each task counts. A method that has a natural place for them uses
    it, and its docstring says which. Any other sees gradients scaled by r_i = w_i / default.

    Attributes:
        sums: Whether a task weighs 1 when nobody says otherwise, because the paper sums over
            tasks; if not, it weighs 1 / K, because the paper averages.
        signed: Whether negative weights make sense.
    """

    sums: ClassVar[bool]
    signed: ClassVar[bool] = False

    @property
    def degree(self) -> float:
        """The p in alpha(t M) = t^p alpha(M): 0 where only directions and ratios matter."""
        return 0.0

    def default_weights(self, count: int) -> Tensor:
        """Return what `count` tasks weigh when nobody says otherwise, float64 (K,)."""
        return torch.full((count,), 1.0 if self.sums else 1.0 / count, dtype=torch.float64)

    def __call__(self, gram: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the coefficients alpha, float64 (K,), on the CPU.

        A single task, or tasks that all have no gradient, get their weights.

        Args:
            gram: M = G G^T of the task gradients, (K, K), of any precision and device. What
                rounding made indefinite is replaced by the nearest semidefinite matrix.
            weights: Task weights w, (K,); None for `default_weights`.

        Raises:
            GramError: `gram` is not square, not symmetric, or no product of gradients.
            NonFiniteGramError: It is not finite; the error names the tasks.
            WeightsError: The weights are of wrong length, not finite, or negative where the
                method has no meaning for that.
        """
        matrix = checked_gram(gram)
        if weights is None:
            weights = self.default_weights(len(matrix))
        else:
            weights = checked_weights(weights, len(matrix), signed=self.signed)
        scale = float(matrix.diagonal().max())
        if len(matrix) == 1 or scale == 0:
            return weights
        alpha = self.coefficients(matrix / scale, weights.numpy())
        return torch.from_numpy(alpha * scale**self.degree if self.degree else alpha)

    @abstractmethod
    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return alpha, (K,).

        Args:
            gram: The Gram matrix over its largest diagonal entry, float64, symmetric, K >= 2.
            weights: Task weights, float64 (K,).
        """

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            StateError: The state is that of another aggregator.
        """
        if state:
            raise StateError(f"{type(self).__name__} has no state, but was given {sorted(state)}.")
