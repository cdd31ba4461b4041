"""Which multi-task methods can train critics or actor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from gymnasium import spaces

from robomtl import methods
from robomtl.agents.sac.config import SACConfig
from robomtl.agents.sac.exceptions import SettingError
from robomtl.agents.sac.objectives import ActorObjective, CriticObjective
from robomtl.agents.sac.policy import MultiTaskPolicy
from robomtl.methods import MissingArgumentError
from robomtl.methods.objective import Objective
from robomtl.methods.priority_replay import PriorityReplay
from robomtl.methods.weightings import DelayedAutoLambda
from robomtl.methods.weightings.auto_lambda_stochastic import StochasticAutoLambda


def suitable_methods(
    policy: MultiTaskPolicy, objectives: Mapping[str, Objective], config: SACConfig, seed: int
) -> dict[str, methods.Method]:
    """Return the methods of "critic" and "actor", if they suit what they are to train.

    Args:
        policy: The networks and what moves their parameters.
        objectives: The losses of "critic" and "actor".
        config: All settings.
        seed: Seed of what methods draw.

    Raises:
        MethodError: There is no such method.
        SettingError: One cannot be used here; the message says why.
    """
    names = {
        "critic": config.critic_method or config.method,
        "actor": config.actor_method or config.method,
    }
    optimisers = {"critic": policy.critic.optimizer, "actor": policy.actor.optimizer}
    return {
        part: _suitable(
            name,
            part=part,
            objective=objectives[part],
            optimiser=optimisers[part],
            config=config,
            seed=seed,
        )
        for part, name in names.items()
    }


def check_methods(config: SACConfig, tasks: Sequence[str]) -> None:
    """Refuse methods that `MultiTaskSAC` would refuse, before there are environments for it.

    The smallest networks stand in for its own: which parameters tasks share is a matter of kind.

    Args:
        config: All settings.
        tasks: Names of the tasks.

    Raises:
        MethodError: There is no such method.
        SettingError: One cannot be used here; the message says why.
    """
    with torch.random.fork_rng(devices=()):
        policy = MultiTaskPolicy(
            spaces.Box(-1, 1, (1 + len(tasks),)),
            spaces.Box(-1, 1, (1,)),
            lambda _: config.learning_rate,
            tasks=len(tasks),
            network=config.network,
            width=1,
            depth=1,
            layer_norm=False,
        )
    objectives: dict[str, Objective] = {
        "critic": CriticObjective(policy.critic, tasks),
        "actor": ActorObjective(policy.actor, policy.critic, tasks),
    }
    suitable_methods(policy, objectives, config, seed=0)


def _suitable(
    name: str,
    *,
    part: str,
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    config: SACConfig,
    seed: int,
) -> methods.Method:
    """Return the method of that name, if it suits the part that it is to train."""
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
