"""Settings of multi-task SAC."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from robomtl.agents.sac.exceptions import SettingError
from robomtl.agents.sac.networks import NETWORKS

_CHOICES = {
    "temperature": ["per_task", "shared"],
    "critic_loss": ["squared_error", "cross_entropy"],
}


@dataclass(frozen=True, kw_only=True)
class SACConfig:
    """Settings; the defaults are those of MT10 in the papers, or say so.

    Raises:
        SettingError: A number or a name that makes no sense.
    """

    method: str = "equal"
    """Multi-task method for critics and actor, by a name of `robomtl.methods.names()`."""
    critic_method: str | None = None
    """Method for the critics, where it is another."""
    actor_method: str | None = None
    """Method for the actor, where it is another."""
    network: str = "shared"
    """What actor and critics are made of: one of `NETWORKS`."""
    width: int = 400
    """Units of a hidden layer."""
    depth: int = 3
    """Hidden layers."""
    layer_norm: bool = False
    """Whether hidden layers are normalised before their ReLU."""
    standardise: bool = False
    """Whether states are standardised, each task's by its own statistics."""
    normalise_returns: bool = False
    """Whether rewards are divided, for learning, by the deviation of their task's returns."""
    critic_loss: Literal["squared_error", "cross_entropy"] = "squared_error"
    """How critics learn: a number, or a histogram, which needs `normalise_returns`."""
    temperature: Literal["per_task", "shared"] = "per_task"
    """Whether each task learns its own entropy temperature, or all learn one."""
    initial_temperature: float = 1.0
    """Entropy temperature to begin with, in units of the rewards that are learned from."""
    target_entropy: float | None = None
    """Entropy of actions that temperatures are learned for; none for minus their dimension."""
    ez_epsilon: float = 0.0
    """Probability with which a random action begins that is held for a while (`EZGreedy`)."""
    learning_rate: float = 3e-4
    """Adam's, for actor, critics and temperatures."""
    adam_eps: float = 1e-8
    """Adam's epsilon, for actor and critics; Meta-World+ takes 1e-5."""
    clip: float | None = None
    """Largest norm of the combined gradient, of actor and of critics; Meta-World+ takes 1.

    Auto-lambda looks ahead as if nothing were clipped, as it does with an aggregator."""
    gamma: float = 0.99
    """Discount per step."""
    tau: float = 0.005
    """How far target networks move to the critics in each update."""
    batch_size: int = 128
    """Samples of each task in an update."""
    buffer_size: int = 100_000
    """Transitions of each task that are remembered."""
    warm_up: int = 1500
    """Steps of each environment with random actions, before anything is learned."""
    updates_per_step: int = 1
    """Updates after each step of all environments."""
    policy_delay: int = 1
    """Updates of the critics for one of actor and temperatures."""
    overlap: bool = False
    """Learn while the environments step, so that an update does without that step."""

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise SettingError(
                f"Unknown network {self.network!r}. Available networks: {list(NETWORKS)}."
            )
        for name, valid in _CHOICES.items():
            if getattr(self, name) not in valid:
                raise SettingError(f"{name} is {getattr(self, name)!r}; valid: {valid}.")
        if self.critic_loss == "cross_entropy" and not self.normalise_returns:
            raise SettingError(
                "critic_loss 'cross_entropy' needs normalise_returns: its bins are of that range."
            )
        counts = ("width", "depth", "batch_size", "buffer_size", "updates_per_step", "policy_delay")
        for name in counts:
            if getattr(self, name) < 1:
                raise SettingError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        if self.warm_up < 0:
            raise SettingError(f"warm_up must not be negative; it is {self.warm_up}.")
        if self.overlap and not self.warm_up:
            raise SettingError("overlap needs a warm_up of 1 or more, to learn from something.")
        for name in ("gamma", "tau", "ez_epsilon"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} must be from 0 to 1, not {getattr(self, name)}.")
        for name in ("learning_rate", "adam_eps", "initial_temperature"):
            if not 0 < getattr(self, name) < float("inf"):
                raise SettingError(f"{name} must be positive, not {getattr(self, name)}.")
        if self.target_entropy is not None and not isfinite(self.target_entropy):
            raise SettingError(f"target_entropy must be finite; it is {self.target_entropy}.")
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise SettingError(f"clip must be positive and finite, or none; it is {self.clip}.")
