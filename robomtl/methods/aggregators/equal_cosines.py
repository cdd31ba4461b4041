"""The direction that has wanted cosines with given vectors: what IMTL-G and ConFIG share."""

from __future__ import annotations

import torch
from torch import Tensor

from robomtl.methods.aggregators.unit import ROUNDING


def solve_gram(gram: Tensor, sides: Tensor) -> Tensor | None:
    """Return v with U v = sides, (K,), or None if U is singular to within rounding.

    Args:
        gram: U, the Gram matrix of unit vectors, (K, K).
        sides: Right-hand side, (K,).
    """
    factor, info = torch.linalg.cholesky_ex(gram)
    if info or factor.diagonal().min().item() ** 2 <= len(gram) * ROUNDING:
        return None
    return torch.cholesky_solve(sides[:, None], factor).flatten()


def pseudo_solve(gram: Tensor, sides: Tensor) -> Tensor:
    """Return the shortest v that comes nearest to M v = sides, (K,).

    Eigenvalues up to K `ROUNDING` of the largest count as zero.

    Args:
        gram: M, any Gram matrix, (K, K).
        sides: Right-hand side, (K,).
    """
    values, vectors = torch.linalg.eigh(gram)
    kept = values > values[-1] * len(gram) * ROUNDING
    inverse = torch.where(kept, 1 / values, 0.0)
    return vectors @ (inverse * (vectors.T @ sides))
