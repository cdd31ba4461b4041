"""Gram matrices of unit vectors, in which solvers see angles and not lengths."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = torch.finfo(torch.float32).eps ** 2
"""Squared relative length of what gradients computed in float32 cannot tell from zero."""

STATIONARY = 1e-5
"""Unit gradients that cancel to less than this share of their largest coefficient cancel."""


def unit_gram(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return the Gram matrix of the normalised gradients, (K, K), and their lengths, (K,).

    The matrix is made positive definite by `ROUNDING` on its diagonal, as if each gradient had
    a float32 rounding error orthogonal to everything: so solvers work on linearly dependent
    gradients too. The update that they find there is right to about 1e-9; how it is split among
    dependent gradients, which no definition says, is accidental in the second digit.

    Products that were rounded until no vectors have them (negative eigenvalues) are first
    replaced by the nearest ones that vectors have.

    Args:
        gram: Symmetric with a positive diagonal.
    """
    unit, lengths = normalised(gram)
    unit.diagonal().add_(ROUNDING)
    if torch.linalg.cholesky_ex(unit).info:
        unit = nearest_semidefinite(unit)
        unit.diagonal().add_(ROUNDING)
    return unit, lengths


def normalised(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return the Gram matrix of the normalised gradients, (K, K), and their lengths, (K,)."""
    lengths = gram.diagonal().sqrt()
    unit = gram / lengths / lengths[:, None]
    unit.diagonal().fill_(1.0)
    return unit, lengths


def nearest_semidefinite(matrix: Tensor) -> Tensor:
    """Return the positive semidefinite matrix nearest in Frobenius norm, (K, K)."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0)) @ vectors.T
