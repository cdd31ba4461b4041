"""Which multi-task methods can train critics or actor."""

from __future__ import annotations

from typing import Any

import torch

from robomtl import methods
from robomtl.agents.sac.config import SACConfig
from robomtl.agents.sac.exceptions import SettingError
from robomtl.methods import MissingArgumentError
from robomtl.methods.objective import Objective
from robomtl.methods.priority_replay import PriorityReplay
from robomtl.methods.weightings import DelayedAutoLambda
from robomtl.methods.weightings.auto_lambda_stochastic import StochasticAutoLambda


def suitable_method(
    name: str,
    *,
    part: str,
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    config: SACConfig,
    seed: int,
) -> methods.Method:
    """Return the method of that name, if it suits what it is to train.

    Args:
        name: Name of the method.
        part: What it trains, "critic" or "actor".
        objective: The losses of that part.
        optimiser: What moves its parameters.
        config: All settings.
        seed: Seed of what the method draws.

    Raises:
        MethodError: There is no such method.
        SettingError: It cannot be used here; the message says why.
    """
    try:
        found = methods.make(name, objective.tasks, optimiser=optimiser, seed=seed)
    except MissingArgumentError as error:
        lacking = "it needs auxiliary tasks or given weights, and here there are neither"
        raise _refusal(name, part, lacking) from error
    if reason := _objection(found, objective, config):
        raise _refusal(name, part, reason)
    return found


def _objection(method: Any, objective: Objective, config: SACConfig) -> str | None:
    """Return why a method cannot be used, or none."""
    if isinstance(method, PriorityReplay):
        return "it draws from a data set that does not grow, and a replay does"
    if method.at_representation:
        return (
            "it compares tasks by the gradients of one representation of the same samples, "
            "and here each task has samples of its own"
        )
    if _compares_gradients(method) and not objective.shared_parameters():
        return f"tasks share no parameter of the network {config.network!r}"
    if isinstance(method.weighting, DelayedAutoLambda) and config.clip is not None:
        return (
            "it follows the step along the weighted gradients as they are, which `clip` shortens; "
            "'auto_lambda' goes with `clip`"
        )
    return None


def _compares_gradients(method: methods.Combination) -> bool:
    weighting = method.weighting
    return (
        method.aggregator is not None
        or isinstance(weighting, StochasticAutoLambda)
        or (weighting is not None and weighting.uses != "losses")
    )


def _refusal(name: str, part: str, reason: str) -> SettingError:
    return SettingError(f"The method {name!r} cannot train the {part}: {reason}.")
