"""Weightings: how much each task counts, from what a step shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from robomtl.methods.recipe import Recipe
from robomtl.methods.weightings.auto_lambda import AutoLambda
from robomtl.methods.weightings.auto_lambda_delayed import DelayedAutoLambda
from robomtl.methods.weightings.auto_lambda_finite_difference import FiniteDifferenceAutoLambda
from robomtl.methods.weightings.auto_lambda_stochastic import StochasticAutoLambda
from robomtl.methods.weightings.constant import Constant, fixed
from robomtl.methods.weightings.dwa import DynamicWeightAverage
from robomtl.methods.weightings.famo import FAMO
from robomtl.methods.weightings.gcs import GradientCosineSimilarity
from robomtl.methods.weightings.gradnorm import GradNorm
from robomtl.methods.weightings.imtl_l import IMTLL
from robomtl.methods.weightings.ol_aux import OnlineAuxiliary
from robomtl.methods.weightings.rlw import (
    DirichletRandomLossWeighting,
    NormalRandomLossWeighting,
)
from robomtl.methods.weightings.saal import saal_e, saal_ew, saal_w
from robomtl.methods.weightings.uncertainty import Uncertainty
from robomtl.methods.weightings.weighting import Weighting

__all__ = ["WEIGHTINGS", "AutoLambda", "Constant", "DelayedAutoLambda", "Entry", "Weighting"]


class Entry(NamedTuple):
    """A weighting that can be made by name."""

    line: str
    make: Callable[[Recipe], Weighting]


def _equal(recipe: Recipe) -> Weighting:
    count = len(recipe.tasks)
    return Constant(torch.full((count,), 1 / count, dtype=torch.float64))


def _gcs(recipe: Recipe) -> Weighting:
    recipe.auxiliary()  # raises if there are none
    return GradientCosineSimilarity(recipe.tasks, recipe.primary)


def _ol_aux(recipe: Recipe) -> Weighting:
    recipe.auxiliary()
    return OnlineAuxiliary(recipe.tasks, recipe.primary, rate=recipe.rate_or(5e-3))


def _auto_lambda(kind: type[AutoLambda]) -> Callable[[Recipe], Weighting]:
    return lambda recipe: kind(
        recipe.tasks, recipe.primary, recipe.optimiser, rate=recipe.rate_or(3e-5)
    )


def _stochastic_auto_lambda(recipe: Recipe) -> Weighting:
    return StochasticAutoLambda(
        recipe.tasks,
        recipe.primary,
        recipe.optimiser,
        rate=recipe.rate_or(3e-5),
        seed=recipe.seed,
    )


WEIGHTINGS: dict[str, Entry] = {
    "equal": Entry("Every task counts the same: the mean of the losses.", _equal),
    "fixed": Entry("Given weights that stay as they are.", fixed),
    "auto_lambda": Entry(
        "Weights that lower the primary tasks' loss one step ahead, by exact gradients.",
        _auto_lambda(AutoLambda),
    ),
    "auto_lambda_delayed": Entry(
        "Auto-lambda that looks at the step really taken next; much cheaper.",
        _auto_lambda(DelayedAutoLambda),
    ),
    "auto_lambda_finite_difference": Entry(
        "Auto-lambda with the paper's finite difference, for comparison.",
        _auto_lambda(FiniteDifferenceAutoLambda),
    ),
    "auto_lambda_stochastic": Entry(
        "Auto-lambda that looks at a few tasks per step; constant memory.",
        _stochastic_auto_lambda,
    ),
    "uncertainty": Entry(
        "Weights from a learned noise level of each task.",
        lambda recipe: Uncertainty(len(recipe.tasks), rate=recipe.rate_or(1e-3)),
    ),
    "dwa": Entry(
        "Tasks whose losses fall slowly count more.",
        lambda recipe: DynamicWeightAverage(len(recipe.tasks)),
    ),
    "rlw_normal": Entry(
        "Random weights at every step: softmax of normal numbers.",
        lambda recipe: NormalRandomLossWeighting(len(recipe.tasks), seed=recipe.seed),
    ),
    "rlw_dirichlet": Entry(
        "Random weights at every step: uniform among those that sum to 1.",
        lambda recipe: DirichletRandomLossWeighting(len(recipe.tasks), seed=recipe.seed),
    ),
    "gradnorm": Entry(
        "Weights that make tasks learn at similar rates, by their gradients' norms.",
        lambda recipe: GradNorm(len(recipe.tasks), rate=recipe.rate_or(0.025)),
    ),
    "imtl_l": Entry(
        "Weights under which all losses are of the same size.",
        lambda recipe: IMTLL(len(recipe.tasks), rate=recipe.rate_or(1e-3)),
    ),
    "famo": Entry(
        "Weights under which all losses fall at the same relative speed.",
        lambda recipe: FAMO(len(recipe.tasks), rate=recipe.rate_or(0.025)),
    ),
    "gcs": Entry("Auxiliary tasks count while their gradients agree with the primary ones'.", _gcs),
    "ol_aux": Entry(
        "Auxiliary tasks gain weight while their gradients lower the primary loss.", _ol_aux
    ),
    "saal_e": Entry("Self-auxiliaries with given coefficients, from an enumeration.", saal_e),
    "saal_w": Entry("Self-auxiliaries with coefficients learned by looking ahead.", saal_w),
    "saal_ew": Entry("Self-auxiliaries with learned times given coefficients.", saal_ew),
}
"""How to make each weighting, by name."""
