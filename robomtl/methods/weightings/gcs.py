"""Gradient cosine similarity: auxiliary tasks count where they help (Du et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from robomtl.methods.step import Step
from robomtl.methods.weightings.weighting import Uses, Weighting


class GradientCosineSimilarity(Weighting):
    """Weighs an auxiliary task 1 if cos(g_aux, g_primary) >= 0, else 0; primary tasks 1.

    "Adapting Auxiliary Losses Using Gradient Similarity", the unweighted variant, which Impartial
    Auxiliary Learning names as what it compares with; Auto-lambda's paper does not say. The other
    variant weighs by max(0, cos). Gradients are those of the shared parameters. With several
    primary tasks, g_primary is the sum of their gradients, our choice.

    Args:
        tasks: Names of the K tasks.
        primary: Names of those that matter in the end.
    """

    uses: ClassVar[Uses] = "gram"

    def __init__(self, tasks: Sequence[str], primary: Sequence[str]) -> None:
        self._primary = torch.tensor([task in primary for task in tasks])

    def weights(self, step: Step) -> Tensor:
        """Return lambda for this step, (K,) float64."""
        products = step.gram[:, self._primary].sum(1)
        return (self._primary | (products >= 0)).double()
