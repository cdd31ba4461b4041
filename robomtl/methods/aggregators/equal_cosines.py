"""The direction that has wanted cosines with given vectors: what IMTL-G and ConFIG share."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.unit import ROUNDING


def solve_gram(gram: Array, sides: Array) -> Array | None:
    """Return v with U v = sides, (K,), or None if U is singular to within rounding.

    Args:
        gram: U, the Gram matrix of unit vectors, (K, K).
        sides: Right-hand side, (K,).
    """
    try:
        factor = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return None
    if factor.diagonal().min() ** 2 <= len(gram) * ROUNDING:
        return None
    return np.asarray(np.linalg.solve(gram, sides), dtype=np.float64)


def pseudo_solve(gram: Array, sides: Array) -> Array:
    """Return the shortest v that comes nearest to M v = sides, (K,).

    Eigenvalues up to K `ROUNDING` of the largest count as zero.

    Args:
        gram: M, any Gram matrix, (K, K).
        sides: Right-hand side, (K,).
    """
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * len(gram) * ROUNDING
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=kept)
    return vectors @ (inverse * (vectors.T @ sides))
