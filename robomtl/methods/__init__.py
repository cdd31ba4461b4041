"""Multi-task optimisation: K task losses in, one gradient out.

A method sees a problem only as an `Objective`. `method.backward(objective, batch)` fills `.grad`
and returns a `Record` of what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from robomtl.methods.equal import Equal
from robomtl.methods.exceptions import MethodError, NonFiniteLossError, UnknownMethodError
from robomtl.methods.objective import Objective, parameters
from robomtl.methods.record import Record

__all__ = [
    "Equal",
    "Method",
    "MethodError",
    "NonFiniteLossError",
    "Objective",
    "Record",
    "UnknownMethodError",
    "make",
    "names",
    "parameters",
]


class Method(Protocol):
    """What every multi-task method can do."""

    def backward(self, objective: Objective, batch: Any, validation_batch: Any = None) -> Record:
        """Fill `.grad` of the objective's parameters and say what was done."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        ...


_METHODS = {"equal": Equal}


def make(name: str, tasks: Sequence[str]) -> Method:
    """Return the method of that name for these tasks.

    Raises:
        UnknownMethodError: There is no such method; the message lists those there are.
    """
    if name not in _METHODS:
        raise UnknownMethodError(name, list(_METHODS))
    return _METHODS[name](tasks)


def names() -> dict[str, str]:
    """Return each method's name with one line about it."""
    return {name: (method.__doc__ or "").partition("\n")[0] for name, method in _METHODS.items()}
