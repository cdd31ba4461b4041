"""The classes of a saved demonstration, standing in for RLBench's, which need not be installed."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.data.exceptions import UnsafePickleError

_NUMBERS = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248])")


class SavedObservation:
    """What `rlbench.backend.observation.Observation` was: attributes, and nothing that it does."""


class SavedDemo:
    """What `rlbench.demo.Demo` was: attributes, and nothing that it does."""


class SavedType:
    """What `numpy.dtype` was: the type of an array of numbers; no other can be made.

    Raises:
        UnsafePickleError: Objects, texts, structures or dates.
    """

    def __init__(self, name: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(name, str) or not _NUMBERS.fullmatch(name):
            shown = name[:20] if isinstance(name, str) else type(name).__name__
            raise UnsafePickleError(
                f"it holds an array of type {shown!r}; RLBench's hold numbers only"
            )
        self.dtype = np.dtype(name)

    def build(self, state: Any) -> None:
        """Takes the byte order, the only thing about numbers that is not in their type's name."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise ValueError("the state of a type of numbers has no byte order")
        if any(part is not None for part in state[2:5]):
            raise UnsafePickleError("it holds an array of structures; RLBench's hold numbers only")
        self.dtype = self.dtype.newbyteorder(state[1])


class SavedArray:
    """What `numpy.ndarray` was. The array is made of as many bytes as the file has for it.

    Attributes:
        array: The numbers; None until they are known.
    """

    array: NDArray[Any] | None = None

    def build(self, state: Any) -> None:
        """Takes shape, type, order and bytes."""
        _, shape, kind, fortran, data = state
        self.array = _array(data, kind, shape, "F" if fortran is True else "C")


def reconstruct(kind: object, shape: object, code: object) -> SavedArray:
    """Stands in for numpy's function of this name: an array that is built afterwards."""
    if kind is not SavedArray:
        raise TypeError(f"an array cannot be a {type(kind).__name__}")
    return SavedArray()


def from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> SavedArray:
    """Stands in for numpy's function of this name, which protocol 5 has."""
    saved = SavedArray()
    saved.array = _array(data, kind, shape, order)
    return saved


def scalar(kind: Any, data: Any) -> Any:
    """Stands in for numpy's function of this name: one number."""
    return _array(data, kind, (1,), "C")[0]


def _array(data: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    if not isinstance(kind, SavedType):
        raise TypeError(f"the type of an array cannot be a {type(kind).__name__}")
    if not isinstance(data, bytes) or order not in ("C", "F"):
        raise UnsafePickleError("it holds an array of objects; RLBench's hold numbers only")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("an array has something else than numbers for its shape")
    numbers = np.frombuffer(data, kind.dtype)
    return numbers.reshape(shape, order=order).astype(kind.dtype.newbyteorder("="))
