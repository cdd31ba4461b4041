"""Errors of multi-task SAC."""

from __future__ import annotations

from collections.abc import Mapping

from robomtl.agents.exceptions import AgentError


class SettingError(AgentError):
    """A setting makes no sense, alone or with the others."""


class EnvironmentLayoutError(AgentError):
    """The environments do not tell tasks apart as multi-task SAC needs them to."""


class NonFiniteTransitionError(AgentError):
    """An environment returned NaN or infinity; nothing of that step was stored.

    Attributes:
        found: What was not finite, by task.
        step: How many steps each environment had taken before.
    """

    def __init__(self, found: Mapping[str, str], step: int) -> None:
        self.found = dict(found)
        self.step = step
        named = ", ".join(f"{task} ({what})" for task, what in found.items())
        super().__init__(
            f"Not finite at step {step} of each environment: {named}. Nothing of that step was "
            "stored. Look into that task's reward and simulation; actions were within bounds."
        )


class CheckpointError(AgentError):
    """A checkpoint is damaged, or belongs to a run with other settings."""
