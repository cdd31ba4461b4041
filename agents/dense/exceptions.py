"""Errors of dense prediction."""

from collections.abc import Iterable

from robomtl.agents.exceptions import AgentError


class UnknownDenseTaskError(AgentError):
    """A name is not a dense-prediction task, nor a self-auxiliary of two of them."""

    def __init__(self, name: str, valid: Iterable[str]) -> None:
        super().__init__(f"unknown dense-prediction task {name!r}; valid names: {', '.join(valid)}")


class BatchSizeError(AgentError):
    """Batches of this size cannot be drawn from so many images."""


class ArchitectureError(AgentError):
    """Tasks and architecture that do not go together."""
