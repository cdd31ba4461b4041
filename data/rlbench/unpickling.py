"""Reading RLBench's pickles without trusting them.

A pickle is a program: it can call anything that Python can import. This reader knows the few
operations and names that a saved demonstration consists of, has classes of its own for them, and
refuses everything else by name, before anything of it is done.
"""

import io
import pickle
import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from robomtl.data.exceptions import CorruptDemoError, UnsafePickleError
from robomtl.data.rlbench import stand_ins
from robomtl.data.rlbench.stand_ins import SavedArray, SavedDemo, SavedObservation, SavedType


@dataclass(frozen=True)
class _Function:
    """A function that a pickle may call."""

    call: Callable[..., Any]


# numpy 2 moved its internals to `_core`.
_CORES = ("numpy.core", "numpy._core")
_GLOBALS: dict[tuple[str, str], object] = {
    ("rlbench.demo", "Demo"): SavedDemo,
    ("rlbench.backend.observation", "Observation"): SavedObservation,
    ("numpy", "ndarray"): SavedArray,
    ("numpy", "dtype"): _Function(SavedType),
    **{(f"{core}.multiarray", "_reconstruct"): _Function(stand_ins.reconstruct) for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): _Function(stand_ins.scalar) for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): _Function(stand_ins.from_buffer) for core in _CORES},
}

_OPERATIONS = (
    "PROTO", "FRAME", "STOP", "MARK", "POP_MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT",
    "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
    "BYTEARRAY8", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "EMPTY_TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3", "TUPLE", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM",
    "SETITEMS", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL",
    "STACK_GLOBAL", "NEWOBJ", "REDUCE", "BUILD",
)  # fmt: skip
_NAMES = {ord(operation.code): operation.name for operation in pickletools.opcodes}


def unpickle(content: bytes) -> Any:
    """What a file of RLBench's holds, made of stand-ins, numbers, texts, lists and dicts.

    Raises:
        UnsafePickleError: It asks for something that is no part of the format.
        CorruptDemoError: It is damaged or cut short.
    """
    file = io.BytesIO(content)
    try:
        value = _Reader(file).load()
    except (CorruptDemoError, MemoryError):
        raise
    except Exception as error:  # whatever damaged bytes make it stumble over
        raise CorruptDemoError(f"{type(error).__name__}: {error}") from error
    if file.tell() != len(content):
        raise CorruptDemoError("something follows its end")
    return value


class _Operations(dict[int, Callable[[Any], None]]):
    """What to do for each operation of a pickle; those of other pickles are refused."""

    def __missing__(self, code: int) -> Callable[[Any], None]:
        name = _NAMES.get(code, f"number {code}")
        raise UnsafePickleError(f"its operation {name} is no part of RLBench's format")


# The reader written in Python, not that in C: its table of operations can be cut down, and a
# damaged file cannot make it fill the memory with an index of what it has seen.
class _Reader(pickle._Unpickler):
    dispatch = _Operations(
        {code: pickle._Unpickler.dispatch[code] for code, n in _NAMES.items() if n in _OPERATIONS}
    )
    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _GLOBALS:
            raise UnsafePickleError(
                f"it asks for {module}.{name}, which is no part of RLBench's format; do not open "
                "it with anything else"
            )
        return _GLOBALS[module, name]

    # Messages give types only: the text of a value can be endless.

    def _new(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        known = kind is SavedDemo or kind is SavedObservation
        if not known or type(arguments) is not tuple or arguments:
            raise UnsafePickleError(f"it makes an object of a {type(kind).__name__}")
        self.stack.append(kind())

    def _reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not _Function:
            raise UnsafePickleError(f"it calls a {type(function).__name__}")
        self.stack.append(function.call(*arguments))

    def _build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if isinstance(built, SavedType | SavedArray):
            built.build(state)
        elif isinstance(built, SavedDemo | SavedObservation) and isinstance(state, dict):
            vars(built).update(state)
        else:
            raise UnsafePickleError(f"it changes a {type(built).__name__}")

    def _set(self, items: list[Any]) -> None:
        for name, value in zip(items[::2], items[1::2], strict=True):
            if type(name) is not str or type(self.stack[-1]) is not dict:
                raise UnsafePickleError("it holds a dict with keys that are not names")
            self.stack[-1][name] = value

    def _set_one(self) -> None:
        value, name = self.stack.pop(), self.stack.pop()
        self._set([name, value])

    def _set_many(self) -> None:
        self._set(self.pop_mark())

    def _bytes(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))
        self.stack.append(self.read(length))  # reads no more than there is

    dispatch[pickle.SETITEM[0]] = _set_one
    dispatch[pickle.SETITEMS[0]] = _set_many
    dispatch[pickle.NEWOBJ[0]] = _new
    dispatch[pickle.REDUCE[0]] = _reduce
    dispatch[pickle.BUILD[0]] = _build
    dispatch[pickle.BYTEARRAY8[0]] = _bytes
