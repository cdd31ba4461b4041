"""Aggregators: from the Gram matrix of K task gradients to the coefficients of one update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.aligned_mtl import AlignedMTL
from robomtl.methods.aggregators.cagrad import CAGrad
from robomtl.methods.aggregators.config import ConFIG
from robomtl.methods.aggregators.exceptions import (
    GramError,
    NonFiniteGramError,
    SolverError,
    StateError,
    WeightsError,
)
from robomtl.methods.aggregators.fairgrad import FairGrad
from robomtl.methods.aggregators.graddrop import GradDrop
from robomtl.methods.aggregators.gradvac import GradVac
from robomtl.methods.aggregators.imtl_g import IMTLG
from robomtl.methods.aggregators.mean import Mean
from robomtl.methods.aggregators.mgda import MGDA
from robomtl.methods.aggregators.nash_mtl import NashMTL
from robomtl.methods.aggregators.pcgrad import PCGrad
from robomtl.methods.aggregators.sum import Sum
from robomtl.methods.aggregators.upgrad import UPGrad
from robomtl.methods.exceptions import UnknownMethodError

__all__ = [
    "AGGREGATORS",
    "IMTLG",
    "MGDA",
    "Aggregator",
    "AlignedMTL",
    "CAGrad",
    "ConFIG",
    "FairGrad",
    "GradDrop",
    "GradVac",
    "GramError",
    "Mean",
    "NashMTL",
    "NonFiniteGramError",
    "PCGrad",
    "SolverError",
    "StateError",
    "Sum",
    "UPGrad",
    "WeightsError",
    "aggregate",
]

AGGREGATORS: dict[str, Callable[[], Aggregator]] = {
    "sum": Sum,
    "mean": Mean,
    "pcgrad": PCGrad,
    "gradvac": GradVac,
    "graddrop": GradDrop,
    "cagrad": CAGrad,
    "mgda": MGDA,
    "imtl_g": IMTLG,
    "nash_mtl": NashMTL,
    "aligned_mtl": AlignedMTL,
    "aligned_mtl_median": lambda: AlignedMTL(scale="median"),
    "aligned_mtl_rmse": lambda: AlignedMTL(scale="rmse"),
    "upgrad": UPGrad,
    "fairgrad": FairGrad,
    "config": ConFIG,
}
"""Makes a fresh aggregator with its paper's settings, by name."""


def aggregate(
    name: str, gram: Tensor | NDArray[Any], weights: Tensor | NDArray[Any] | None = None
) -> Tensor:
    """Return the coefficients alpha of a fresh aggregator, float64 (K,).

    Args:
        name: One of `AGGREGATORS`.
        gram: M = G G^T of the task gradients, (K, K), a tensor or an array.
        weights: Task weights, (K,), likewise; None for those that the method's paper has.

    Raises:
        UnknownMethodError: There is no such aggregator; the message lists those there are.
        MethodError: The matrix or the weights are none, or the method does not work on a matrix.
    """
    if name not in AGGREGATORS:
        raise UnknownMethodError(name, list(AGGREGATORS))
    given = None if weights is None else torch.as_tensor(weights)
    return AGGREGATORS[name]()(torch.as_tensor(gram), given)
