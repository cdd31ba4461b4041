"""What a method says about the step it just did."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Record:
    """One step of a multi-task method, in task order.

    Attributes:
        losses: Loss of each task, by name.
        weights: Weight of each task, lambda, by name: what multiplies its loss.
        coefficients: What multiplied each task's gradient in the shared parameters, alpha, by
            name. The same as the weights where no aggregator was at work.
        gram: Inner products of the task gradients (K, K) float64, unweighted; none where the step
            did not need them.
    """

    losses: dict[str, float]
    weights: dict[str, float]
    coefficients: dict[str, float]
    gram: Tensor | None = None

    @property
    def gradient_norms(self) -> dict[str, float] | None:
        """Norm of each task's gradient, by name."""
        if self.gram is None:
            return None
        return dict(zip(self.losses, self.gram.diagonal().sqrt().tolist(), strict=True))

    @property
    def cosines(self) -> Tensor | None:
        """Cosines between the task gradients (K, K); 0 where a gradient vanishes."""
        if self.gram is None:
            return None
        norms = self.gram.diagonal().sqrt()
        return torch.where(norms.outer(norms) > 0, self.gram / norms.outer(norms), 0.0)

    @property
    def condition_number(self) -> float | None:
        """Largest over smallest singular value of the gradient matrix.

        Aligned-MTL, Eq. 2 (Senushkin et al. 2023); infinite where gradients depend linearly.
        """
        if self.gram is None:
            return None
        eigenvalues = torch.linalg.eigvalsh(self.gram)
        if eigenvalues[0] <= 0:
            return float("inf")
        return float((eigenvalues[-1] / eigenvalues[0]).sqrt())
