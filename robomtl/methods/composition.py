"""Methods by name: weightings, aggregators, and any weighting with any aggregator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from robomtl.methods.aggregators import AGGREGATORS, Aggregator, Mean, Sum
from robomtl.methods.aggregators.stochastic import StochasticAggregator
from robomtl.methods.combination import Combination
from robomtl.methods.exceptions import (
    CombinationError,
    MethodError,
    MissingArgumentError,
    UnknownMethodError,
    UnknownTaskError,
)
from robomtl.methods.recipe import Recipe
from robomtl.methods.weightings import WEIGHTINGS, Constant, DelayedAutoLambda
from robomtl.methods.whole import WHOLE, Method

_UPPER_BOUNDS = {
    "mgda_ub": ("mgda", "MGDA on gradients of the shared representation."),
    "aligned_mtl_ub": ("aligned_mtl", "Aligned-MTL on gradients of the shared representation."),
}
_PAIRS = {
    "imtl": ("imtl_l+imtl_g", "IMTL: losses balanced by IMTL-L, gradients by IMTL-G."),
}

_VARIANTS = {
    "aligned_mtl_median": "Aligned-MTL scaled to the median singular value, not the smallest.",
    "aligned_mtl_rmse": "Aligned-MTL scaled to the root mean square of the singular values.",
}
_GIVEN = ("fixed", "saal_e", "saal_ew")
_LEARNED = (
    "auto_lambda", "auto_lambda_delayed", "auto_lambda_finite_difference",
    "auto_lambda_stochastic", "uncertainty", "gradnorm", "imtl_l", "famo", "ol_aux", "saal_w",
    "saal_ew", "imtl", "ial",
)  # fmt: skip


def make(
    name: str,
    tasks: Sequence[str],
    primary: Sequence[str] | None = None,
    *,
    optimiser: torch.optim.Optimizer | None = None,
    weights: Mapping[str, float] | None = None,
    rate: float | None = None,
    seed: int = 0,
) -> Method:
    """Return the method of that name for these tasks.

    Args:
        name: A name of `names()`, or a weighting and an aggregator joined by "+".
        tasks: Names of the K tasks.
        primary: Names of the tasks that matter in the end; all of them when not given, which is
            multi-task learning. Some of them is auxiliary learning.
        optimiser: What trains the parameters; methods that look ahead read it.
        weights: Weight of each task, by name, for methods that are given them.
        rate: Learning rate of learned weights; none for the method's own. For methods that learn
            some alone (`learns_weights`).
        seed: Seed of what a method draws at random.

    Raises:
        UnknownMethodError: There is no such method; the message lists those there are.
        CombinationError: The names do not go together; the message says which would.
        UnknownTaskError: A primary task is not among the tasks.
        MissingArgumentError: The method needs an argument that was not given, has no use for the
            weights or the rate that were, or there is no primary task.
        WeightsError: Given weights are negative or not finite, or all are 0.
        MethodError: A task is named more than once, or the rate is not positive.
    """
    _check_use(name, weights, rate)
    tasks = tuple(tasks)
    primary = tasks if primary is None else tuple(primary)
    for what, named in (("tasks", tasks), ("primary tasks", primary)):
        if repeated := sorted({task for task in named if named.count(task) > 1}):
            raise MethodError(f"The {what} {list(named)} name {repeated} more than once.")
    if strange := [task for task in primary if task not in tasks]:
        raise UnknownTaskError(strange, tasks)
    if not primary:
        raise MissingArgumentError(
            f"`primary` names no task: name some of {list(tasks)}, or leave it out for all of them."
        )
    recipe = Recipe(
        name=name,
        tasks=tasks,
        primary=primary,
        optimiser=optimiser,
        weights=weights,
        rate=rate,
        seed=seed,
    )
    if name in WHOLE:
        return WHOLE[name].make(recipe)
    if name in _PAIRS:
        recipe = replace(recipe, name=_PAIRS[name][0])
    return _combined(recipe)


def names() -> dict[str, str]:
    """Return each method's name with one line about it.

    Besides these, any weighting goes with any aggregator: "weighting+aggregator".
    """
    return {
        **{name: entry.line for name, entry in WEIGHTINGS.items()},
        **{name: _line(kind()) for name, kind in AGGREGATORS.items()},
        **_VARIANTS,
        **{name: line for name, (_, line) in (_UPPER_BOUNDS | _PAIRS).items()},
        **{name: entry.line for name, entry in WHOLE.items()},
    }


def learns_weights(name: str) -> bool:
    """Return whether the method of that name learns weights, at a rate that `make` may be given."""
    return not set(name.split("+")).isdisjoint(_LEARNED)


def _check_use(name: str, weights: Mapping[str, float] | None, rate: float | None) -> None:
    """Refuse an unknown method, and what a method has no use for."""
    parts = name.split("+")
    for part in parts:
        if part not in names():
            raise UnknownMethodError(part, names())
    if weights is not None and set(parts).isdisjoint(_GIVEN):
        raise MissingArgumentError(
            f"{name!r} takes no weights. These do: {list(_GIVEN)}, also with an aggregator."
        )
    if rate is not None and not learns_weights(name):
        raise MissingArgumentError(
            f"{name!r} learns no weights, so it takes no rate for them. "
            f"These do: {list(_LEARNED)}, also with an aggregator."
        )
    if rate is not None and not 0 < rate < math.inf:
        raise MethodError(f"The learning rate of weights must be positive and finite, not {rate}.")


def _combined(recipe: Recipe) -> Method:
    """Return the combination that a recipe's name spells out."""
    parts = recipe.name.split("+")
    weightings = [part for part in parts if part in WEIGHTINGS]
    aggregators = [part for part in parts if part in AGGREGATORS or part in _UPPER_BOUNDS]
    if len(weightings) > 1 or len(aggregators) > 1 or len(weightings + aggregators) < len(parts):
        raise CombinationError(
            f"{recipe.name!r} makes no sense: name one weighting, one aggregator, or "
            f"'weighting+aggregator'. Weightings: {list(WEIGHTINGS)}. "
            f"Aggregators: {[*AGGREGATORS, *_UPPER_BOUNDS]}. "
            f"Methods that stand alone: {[*_PAIRS, *WHOLE]}."
        )
    weighting = WEIGHTINGS[weightings[0]].make(recipe) if weightings else None
    aggregator = _aggregator(aggregators[0], recipe.seed) if aggregators else None
    if isinstance(aggregator, Sum | Mean):
        # Their coefficients are the weights: there is nothing to aggregate.
        weighting = weighting or Constant(aggregator.default_weights(len(recipe.tasks)))
        aggregator = None
    if isinstance(weighting, DelayedAutoLambda) and aggregator is not None:
        raise CombinationError(
            f"{recipe.name!r}: the delayed Auto-lambda looks at the step that the optimiser takes "
            "along the weighted sum, which an aggregator changes. Use 'auto_lambda' with one."
        )
    at_representation = bool(aggregators) and aggregators[0] in _UPPER_BOUNDS
    return Combination(recipe.tasks, weighting, aggregator, at_representation=at_representation)


def _aggregator(name: str, seed: int) -> Aggregator:
    kind = AGGREGATORS[_UPPER_BOUNDS[name][0] if name in _UPPER_BOUNDS else name]
    aggregator = kind()
    return (
        type(aggregator)(seed=seed) if isinstance(aggregator, StochasticAggregator) else aggregator
    )


def _line(described: object) -> str:
    return (described.__doc__ or "").partition("\n")[0]
