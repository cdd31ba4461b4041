"""Protocols: what is trained on and how success is measured, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from robomtl.agents.sac import SACConfig
from robomtl.exceptions import ExperimentError


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Everything about an experiment but the method, the seed and which tasks.

    Success is that of an episode in which the task was done at any step, with the mean action of
    the policy, over goals in a fixed order.

    Raises:
        ExperimentError: A number makes no sense.
    """

    name: str
    """What it is called."""
    summary: str
    """Whose it is."""
    benchmark: str = "MT10"
    """Tasks, in Meta-World's terms."""
    goals: int = 50
    """Goals of each task; 1 is a fixed one."""
    reward: Literal["v1", "v2"] = "v2"
    """Version of Meta-World's rewards."""
    horizon: int = 500
    """Environment steps of an episode."""
    action_repeat: int = 1
    """Environment steps for which an action is held; the learner's settings count actions."""
    normalise_rewards: bool = False
    """Whether rewards are divided by a running deviation, each task by its own."""
    steps_per_task: int
    """Environment steps of each task."""
    evaluation_interval: int
    """Environment steps of each task between evaluations; rounded up to whole episodes."""
    evaluation_episodes: int
    """Episodes of each task in an evaluation."""
    final_episodes: int
    """Episodes of each task in the evaluation at the end."""
    aggregate: Literal["mean", "iqm"]
    """What is reported over seeds: their mean, or their interquartile mean."""
    headline: Literal["final", "max over time"]
    """Which of the two numbers its source reports; both are always printed."""
    seeds: int
    """How many seeds its source has."""
    sac: SACConfig
    """The learner, apart from its method."""
    differs: tuple[str, ...] = ()
    """What is not as in its source."""

    def __post_init__(self) -> None:
        counts = (
            "horizon", "steps_per_task", "evaluation_interval", "evaluation_episodes",
            "final_episodes",
        )  # fmt: skip
        for name in counts:
            if getattr(self, name) < 1:
                raise ExperimentError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("horizon", "steps_per_task"):
            if self.action_repeat < 1 or getattr(self, name) % self.action_repeat:
                raise ExperimentError(
                    f"action_repeat must be at least 1 and divide {name}, {getattr(self, name)}; "
                    f"it is {self.action_repeat}"
                )

    @property
    def interval(self) -> int:
        """Steps of each task between evaluations, in whole episodes."""
        return -(-self.evaluation_interval // self.horizon) * self.horizon


_REWARDS = "Meta-World's v3 environments with its v1 rewards, not the v1 environments"

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="paper",
            summary="Table 5 of Aligned-MTL, and the MT10 tables of CARE, CAGrad and Nash-MTL",
            goals=1,
            reward="v1",
            horizon=150,
            normalise_rewards=True,
            steps_per_task=2_000_000,
            evaluation_interval=10_000,
            # One goal, and no noise in the policy's mean action: a second episode repeats the first
            evaluation_episodes=1,
            final_episodes=1,
            aggregate="mean",
            headline="max over time",
            seeds=10,
            sac=SACConfig(network="shared", temperature="shared"),
            differs=(
                _REWARDS,
                "no updates are made up for the steps of the warm-up",
                "Aligned-MTL published no code for it: what it took over from CAGrad is inferred",
            ),
        ),
        Protocol(
            name="metaworld+",
            summary="Meta-World+, as its authors evaluate multi-task SAC with a head for each task",
            steps_per_task=2_000_000,
            evaluation_interval=20_000,
            evaluation_episodes=50,
            final_episodes=50,
            aggregate="iqm",
            headline="final",
            seeds=10,
            sac=SACConfig(network="multi_head", adam_eps=1e-5, clip=1.0, warm_up=4000),
            differs=(
                "layers are initialised as in PyTorch, not by He's uniform rule",
                "evaluation takes every goal once instead of drawing goals at random",
            ),
        ),
        Protocol(
            name="lite",
            summary="ours: Meta-World+ with shorter episodes, for two cores and 90 minutes",
            horizon=200,
            action_repeat=2,
            steps_per_task=60_000,
            evaluation_interval=5_000,
            evaluation_episodes=5,
            final_episodes=50,
            aggregate="iqm",
            headline="final",
            seeds=3,
            sac=SACConfig(
                network="one_hot_multi_head",
                width=256,
                layer_norm=True,
                standardise=True,
                normalise_returns=True,
                critic_loss="cross_entropy",
                initial_temperature=0.01,
                target_entropy=-2.0,
                ez_epsilon=0.05,
                learning_rate=1e-3,
                gamma=0.95,
                batch_size=32,
                warm_up=500,
                updates_per_step=4,
                policy_delay=4,
            ),
        ),
    )
}
"""Every protocol by name."""


def protocol_named(name: str) -> Protocol:
    """Return a protocol.

    Raises:
        ExperimentError: There is none of that name; the message lists those there are.
    """
    if name not in PROTOCOLS:
        raise ExperimentError(f"unknown protocol {name!r}; valid: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def tasks_of(protocol: Protocol, tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the tasks to learn: those named, or all of the protocol's benchmark.

    Raises:
        UnknownNameError: The benchmark has no such task; the message lists those it has.
    """
    from robomtl.envs.metaworld.names import chosen_tasks

    return chosen_tasks(protocol.benchmark, tasks or None)
