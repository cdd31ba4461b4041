"""What aggregators accept."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.exceptions import GramError, NonFiniteGramError, WeightsError


def checked_gram(gram: Tensor) -> Array:
    """Return a Gram matrix as a symmetric array.

    Products summed in another order differ by rounding, so M and M^T may differ by 1e-4 of the
    largest entry, or by two units in the last place of a coarser precision.

    Raises:
        GramError: It is not square, not symmetric, or no product of gradients.
        NonFiniteGramError: It has NaN or infinite entries.
    """
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not len(gram):
        raise GramError(f"A Gram matrix is K x K with K >= 1, not {tuple(gram.shape)}.")
    precision = torch.finfo(gram.dtype).eps if gram.is_floating_point() else 0.0
    tolerance = max(1e-4, 2 * precision)
    matrix = gram.detach().to("cpu", torch.float64).numpy()
    largest = float(np.abs(matrix).max())
    if not largest < float("inf"):
        finite = np.isfinite(matrix)
        # One bad task spoils a row and a column; its own entry tells it from its victims.
        spoilt = ~finite.diagonal() if not finite.diagonal().all() else ~finite.all(1)
        raise NonFiniteGramError(np.flatnonzero(spoilt).tolist())
    if np.abs(matrix - matrix.T).max() > tolerance * largest:
        raise GramError("A Gram matrix is symmetric; this one is not. Was G passed, not G G^T?")
    norms = matrix.diagonal()
    if norms.min() < 0 or norms.max() * (1 + tolerance) < largest:
        raise GramError(
            "A Gram matrix has squared norms on its diagonal, so they are not negative and the "
            "largest is the largest entry; here it is otherwise."
        )
    dead = norms == 0
    matrix = (matrix + matrix.T) / 2
    if dead.any():  # what has no length has no product with anything
        matrix[dead] = matrix[:, dead] = 0.0
    return matrix


def checked_weights(weights: Tensor, count: int, *, signed: bool) -> Tensor:
    """Return task weights as a new float64 vector on the CPU.

    Raises:
        WeightsError: They are not `count` finite numbers, or negative where that has no meaning.
    """
    if weights.shape != (count,):
        raise WeightsError(f"{count} tasks need weights ({count},), not {tuple(weights.shape)}.")
    weights = weights.detach().to("cpu", torch.float64, copy=True)
    wrong = ~weights.isfinite() if signed else ~(weights.isfinite() & (weights >= 0))
    if wrong.any():
        kind = "finite" if signed else "finite and not negative"
        tasks = wrong.nonzero().flatten().tolist()
        raise WeightsError(f"Weights must be {kind}; they are not for tasks {tasks}: {weights}.")
    return weights
