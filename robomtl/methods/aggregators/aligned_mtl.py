"""Aligned-MTL: the task gradients with all principal components made equally long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array


@dataclass(frozen=True, kw_only=True)
class AlignedMTL(Aggregator):
    """Makes task gradients orthogonal and equally long before it adds them.

    With M = V diag(lambda) V^T, Senushkin et al., Independent Component Alignment for
    Multi-Task Learning (CVPR 2023), Algorithm 1:

        alpha = B w,  B = sigma V diag(lambda)^(-1/2) V^T

    so that B M B^T = sigma^2 I: the rows of B G are orthogonal and sigma long. Weights are the
    paper's task importances w, and may be negative.

    Singular M: as the paper remarks, only the eigenvalues above zero count (B M B^T is then
    sigma^2 times the projection on their eigenvectors). Where zero ends is left open by the
    paper. Like the authors' code, we take lambda_max K `tolerance` with float32's precision,
    also for gradients known better than that: with scale "min" a direction in which gradients
    are barely different would otherwise shrink the whole update to that difference.
    """

    sums = False
    signed = True

    scale: Literal["min", "median", "rmse"] = "min"
    """sigma^2: the smallest eigenvalue (the paper), the median, or the mean (authors' code)."""
    tolerance: float = float(np.finfo(np.float32).eps)
    """Eigenvalues up to K times this, relative to the largest, count as zero."""

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return B w."""
        values, vectors = np.linalg.eigh(gram)
        rank = int((values > values[-1] * len(gram) * self.tolerance).sum())
        values, vectors = values[-rank:], vectors[:, -rank:]
        match self.scale:
            case "min":
                sigma_squared = values[0]
            case "median":  # the lower one of two, as torch and the authors' code have it
                sigma_squared = values[(rank - 1) // 2]
            case "rmse":
                sigma_squared = values.mean()
        return vectors @ (np.sqrt(sigma_squared / values) * (vectors.T @ weights))
