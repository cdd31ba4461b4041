"""Gram matrices of unit vectors, in which solvers see angles and not lengths."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.array import Array

ROUNDING = float(np.finfo(np.float32).eps) ** 2
"""Squared relative length of what gradients computed in float32 cannot tell from zero."""

STATIONARY = 1e-5
"""Unit gradients that cancel to less than this share of their largest coefficient cancel."""


def unit_gram(gram: Array) -> tuple[Array, Array]:
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
    rounding = ROUNDING * np.eye(len(gram))
    try:
        np.linalg.cholesky(unit + rounding)
    except np.linalg.LinAlgError:
        unit = nearest_semidefinite(unit + rounding)
    return unit + rounding, lengths


def normalised(gram: Array) -> tuple[Array, Array]:
    """Return the Gram matrix of the normalised gradients, (K, K), and their lengths, (K,)."""
    lengths = np.sqrt(gram.diagonal())
    unit = gram / lengths / lengths[:, None]
    np.fill_diagonal(unit, 1.0)
    return unit, lengths


def nearest_semidefinite(matrix: Array) -> Array:
    """Return the positive semidefinite matrix nearest in Frobenius norm, (K, K)."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0)) @ vectors.T
