"""What a network can be asked to predict, and through whose branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from robomtl.agents.dense.exceptions import UnknownDenseTaskError
from robomtl.methods.weightings.saal import ARROW

#: The tasks. Noise is the sanity check of Auto-lambda (Liu et al. 2022), section 5.1: a map that
#: has nothing to do with the image, and so no gradient that is of use to anything else.
TASKS = ("segmentation", "depth", "normals", "noise")


@dataclass(frozen=True)
class Head:
    """A decoder: whose labels it learns, and whose branch of the encoder it looks through.

    Attributes:
        name: "depth" for a task, "depth->normals" for a self-auxiliary (SAAL, section 3.1).
        source: The task whose labels and loss it has.
        target: The task whose branch it uses, and thereby teaches.
    """

    name: str
    source: str
    target: str

    @property
    def auxiliary(self) -> bool:
        """Whether it is a self-auxiliary, which is not part of the final network."""
        return self.name != self.source

    @staticmethod
    def parse(name: str) -> Head:
        """Return the head of that name.

        Raises:
            UnknownDenseTaskError: It names no task, or a transfer from a task to itself.
        """
        source, arrow, target = name.partition(ARROW)
        if source not in TASKS or (arrow and (target not in TASKS or target == source)):
            raise UnknownDenseTaskError(name, (*TASKS, f"source{ARROW}target of two of them"))
        return Head(name, source, target if arrow else source)


def self_auxiliaries(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the names "s->t" of the transfers between all ordered pairs of `tasks`."""
    return tuple(f"{source}{ARROW}{target}" for source, target in permutations(tasks, 2))
