"""Changes to a protocol from the command line, which its card then lists."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal, TypeVar

from tyro.conf import arg

from robomtl.agents.sac import SACConfig
from robomtl.exceptions import ExperimentError
from robomtl.rl.protocol import Protocol

_IN_ALL = {"steps": "steps_per_task", "evaluation_interval": "evaluation_interval"}

T = TypeVar("T")
Change = Annotated[T | None, arg(help_behavior_hint="(default: the protocol's)")]
"""A setting that stays as the protocol has it unless it is given."""


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What is not as the protocol has it; nothing unless given."""

    steps: Change[int] = None
    """Environment steps of all tasks together."""
    evaluation_interval: Change[int] = None
    """Environment steps of all tasks together between evaluations."""
    evaluation_episodes: Change[int] = None
    """Episodes of each task in an evaluation."""
    final_episodes: Change[int] = None
    """Episodes of each task in the evaluation at the end."""
    goals: Change[int] = None
    """Goals of each task."""
    reward: Change[Literal["v1", "v2"]] = None
    """Version of Meta-World's rewards."""
    horizon: Change[int] = None
    """Environment steps of an episode."""
    action_repeat: Change[int] = None
    """Environment steps for which an action is held."""
    network: Change[str] = None
    """What actor and critics are made of."""
    width: Change[int] = None
    """Units of a hidden layer."""
    depth: Change[int] = None
    """Hidden layers."""
    layer_norm: Change[bool] = None
    """Whether hidden layers are normalised."""
    standardise: Change[bool] = None
    """Whether states are standardised, each task's by its own statistics."""
    normalise_returns: Change[bool] = None
    """Whether each task's rewards are divided by the deviation of its returns."""
    critic_loss: Change[Literal["squared_error", "cross_entropy"]] = None
    """How critics learn."""
    temperature: Change[Literal["per_task", "shared"]] = None
    """Whether each task learns its own entropy temperature."""
    initial_temperature: Change[float] = None
    """Entropy temperature to begin with."""
    target_entropy: Change[float] = None
    """Entropy of actions that temperatures are learned for."""
    ez_epsilon: Change[float] = None
    """Probability with which a random action begins that is held for a while."""
    learning_rate: Change[float] = None
    """Adam's."""
    gamma: Change[float] = None
    """Discount per step."""
    batch_size: Change[int] = None
    """Samples of each task in an update."""
    buffer_size: Change[int] = None
    """Transitions of each task that are remembered."""
    warm_up: Change[int] = None
    """Steps of each environment with random actions."""
    updates_per_step: Change[int] = None
    """Updates after each step of all environments."""
    policy_delay: Change[int] = None
    """Updates of the critics for one of actor and temperatures."""
    overlap: Change[bool] = None
    """Learn while the environments step; an update does without that step."""
    clip: Change[float] = None
    """Largest norm of the combined gradient."""

    def apply(self, protocol: Protocol, tasks: int) -> Protocol:
        """Return the protocol with these changes, for that many tasks.

        Raises:
            ExperimentError: A number makes no sense.
            SettingError: One of the learner's does not.
        """
        given = {name: value for name, value in asdict(self).items() if value is not None}
        learner = {f.name for f in fields(SACConfig)}
        sac = {name: value for name, value in given.items() if name in learner}
        for name in ("action_repeat", *_IN_ALL):  # before they are shared, as they were given
            if given.get(name, 1) < 1:
                raise ExperimentError(f"{name} must be at least 1, not {given[name]}")
        # Each environment takes as many actions as every other: a rest is rounded up.
        repeat = given.get("action_repeat", protocol.action_repeat)
        shares = {
            _IN_ALL[n]: -(-v // (tasks * repeat)) * repeat for n, v in given.items() if n in _IN_ALL
        }
        rest = {n: v for n, v in given.items() if n not in learner and n not in _IN_ALL}
        return replace(protocol, sac=replace(protocol.sac, **sac), **shares, **rest)


def changes(protocol: Protocol, published: Protocol) -> dict[str, list[Any]]:
    """Return what differs between two protocols: name to what it was and what it is."""
    ours, theirs = _flat(protocol), _flat(published)
    return {name: [theirs[name], ours[name]] for name in ours if ours[name] != theirs[name]}


def _flat(protocol: Protocol) -> dict[str, Any]:
    plain = asdict(protocol)
    return {**plain.pop("sac"), **plain}
