"""What a method is, and those methods that are not a weighting and an aggregator of free choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from robomtl.methods.impartial import impartial_auxiliary_learning
from robomtl.methods.objective import Objective
from robomtl.methods.priority_replay import PriorityReplay
from robomtl.methods.recipe import Recipe
from robomtl.methods.record import Record


class Method(Protocol):
    """What every multi-task method can do."""

    @property
    def uses_validation(self) -> bool:
        """Whether `backward` needs a validation batch."""
        ...

    def backward(self, objective: Objective, batch: Any, validation_batch: Any = None) -> Record:
        """Fill `.grad` of the objective's parameters and say what was done."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        ...


class Entry(NamedTuple):
    """A method by name.

    Attributes:
        line: One line about it.
        make: Makes it.
    """

    line: str
    make: Callable[[Recipe], Method]


WHOLE: dict[str, Entry] = {
    "ial": Entry(
        "IAL: uncertainty weights for decoders, an encoder that the primary tasks rule.",
        impartial_auxiliary_learning,
    ),
    "priority_replay": Entry(
        "Equal weighting over samples that are drawn more often the higher their loss.",
        lambda recipe: PriorityReplay(recipe.tasks),
    ),
}
"""How to make each of these methods, by name."""
