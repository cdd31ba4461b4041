"""A demonstration: what a robot perceived at every frame while an expert solved a task."""

import hashlib
import json
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robomtl.data.exceptions import InvalidDemoError, UnknownFieldError, unknown
from robomtl.data.frames import Frames
from robomtl.data.observation import Field, Observation, field

_STATES = Field(np.dtype(np.float64), (None,))
_SYMMETRY = Field(np.dtype(np.int64), ())


class DemoKey(NamedTuple):
    """What identifies a demonstration: the same key gives the same demonstration to the bit."""

    task: str
    variation: int
    seed: int

    def __str__(self) -> str:
        return f"{self.task} variation {self.variation} seed {self.seed}"


class Demo(Sequence[Observation]):
    """A demonstration of T frames, kept by columns and never changed.

    `demo[i]` is the `Observation` of a frame and a slice is a list of them; both are views, but for
    columns of `Frames`, which are read when a frame is looked at.

    Attributes:
        task: Name of the task.
        variation: Which variation of it.
        seed: What drew the scene.
        descriptions: The task in words, in several ways.
        attempts: How many attempts the expert needed, including the one that succeeded.
        columns: Observation fields by name, each (T, ...), an array or `Frames`;
            `observation.field` says type and shape.
        states: Simulator state of every frame, (T, S) float64; None where there is no simulator.
        symmetry: Order n of the rotational symmetry, about the gripper's approach axis, of the
            waypoint that each frame moves towards, (T,) int64; 1 where nothing is known.
    """

    def __init__(
        self,
        columns: Mapping[str, ArrayLike | Frames],
        *,
        task: str,
        variation: int,
        seed: int,
        descriptions: Iterable[str] = (),
        attempts: int = 1,
        states: ArrayLike | None = None,
        symmetry: ArrayLike | None = None,
    ) -> None:
        """Takes over arrays without copying those that have the right type already.

        Raises:
            InvalidDemoError: Fewer than two frames; columns of unequal length; an unknown field; a
                wrong shape or type; a value that is not finite (the message names field and
                frame); a task name that cannot be a folder's; negative numbers.
        """
        self.task = _name(task)
        self.variation = _at_least(0, "variation", variation)
        self.seed = _at_least(0, "seed", seed)
        self.attempts = _at_least(1, "attempts", attempts)
        self.descriptions = _texts(descriptions)
        self.columns: dict[str, NDArray[Any] | Frames] = {
            name: _frames(name, v) if isinstance(v, Frames) else _column(name, _field(name), v)
            for name, v in columns.items()
        }
        self._length = _common_length(self.columns)
        self.states = None if states is None else self._extra("states", _STATES, states)
        if symmetry is None:
            symmetry = np.ones(self._length, np.int64)
        self.symmetry = self._extra("symmetry", _SYMMETRY, symmetry)
        if self.symmetry.min() < 1:
            raise InvalidDemoError(
                f"symmetry is {self.symmetry.min()} at frame {self.symmetry.argmin()}; an order of "
                "symmetry is at least 1"
            )

    @classmethod
    def from_observations(
        cls, observations: Iterable[Mapping[str, ArrayLike]], **settings: Any
    ) -> Self:
        """Stacks observations; `timestep`, which counts actions, is not a column and is left out.

        Args:
            observations: One per frame, all with the same fields.
            **settings: As for `Demo`: task, variation, seed, ...

        Raises:
            InvalidDemoError: As for `Demo`, and where fields come, go or change their shape.
        """
        frames = [{n: np.asarray(v) for n, v in o.items() if n != "timestep"} for o in observations]
        first = frames[0] if frames else {}
        for i, frame in enumerate(frames):
            if frame.keys() != first.keys():
                changed = sorted(frame.keys() ^ first.keys())
                raise InvalidDemoError(f"frames 0 and {i} differ in having {', '.join(changed)}")
            for name, value in frame.items():
                if value.shape != first[name].shape:
                    raise InvalidDemoError(
                        f"{name} has shape {first[name].shape} at frame 0 but {value.shape} at "
                        f"frame {i}"
                    )
        return cls({name: np.stack([f[name] for f in frames]) for name in first}, **settings)

    @property
    def key(self) -> DemoKey:
        """What identifies this demonstration."""
        return DemoKey(self.task, self.variation, self.seed)

    def column(self, name: str) -> NDArray[Any]:
        """One field over all frames, (T, ...), read-only; `Frames` are all read, every time.

        Raises:
            UnknownFieldError: The demonstration has no such column; the message lists those it has.
        """
        if name not in self.columns:
            raise UnknownFieldError(unknown(f"column of the demo {self.key}", name, self.columns))
        column = self.columns[name]
        return _read_only(np.asarray(column)) if isinstance(column, Frames) else column

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...
    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        frame = operator.index(index)
        if not -self._length <= frame < self._length:
            raise IndexError(f"frame {frame} of a demonstration of {self._length} frames")
        return Observation((name, _at(column, frame)) for name, column in self.columns.items())

    def digest(self) -> str:
        """SHA-256 over everything but `attempts`: equal digests mean demos equal to the bit."""
        identity = [self.task, self.variation, self.seed, self.descriptions]
        sha = hashlib.sha256(json.dumps(identity).encode())
        extras = {"states": self.states, "symmetry": self.symmetry}
        for name in sorted({**self.columns, **extras}):
            array = extras[name] if name in extras else self.column(name)
            if array is not None:
                sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
                sha.update(array.tobytes())
        return sha.hexdigest()

    def __repr__(self) -> str:
        return f"Demo({self.key}, {self._length} frames)"

    def _extra(self, name: str, kind: Field, values: ArrayLike) -> NDArray[Any]:
        array = _column(name, kind, values)
        if len(array) != self._length:
            raise InvalidDemoError(
                f"{name} has {len(array)} frames, but the columns have {self._length}"
            )
        return array


def _name(task: str) -> str:
    if not isinstance(task, str) or not re.fullmatch(r"\w[\w.-]*", task, re.ASCII):
        raise InvalidDemoError(
            f"{task!r} cannot be the name of a task: it is a folder's name of letters, digits, "
            "'_', '-' and '.'"
        )
    return task


def _at_least(least: int, what: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidDemoError(f"{what} must be an integer, not {value!r}") from None
    if number < least:
        raise InvalidDemoError(f"{what} must be at least {least}, not {number}")
    return number


def _texts(descriptions: Iterable[str]) -> tuple[str, ...]:
    texts = tuple(descriptions)
    if isinstance(descriptions, str) or not all(isinstance(text, str) for text in texts):
        raise InvalidDemoError(f"descriptions must be several strings, not {descriptions!r}")
    return texts


def _field(name: str) -> Field:
    try:
        return field(name)
    except UnknownFieldError as error:
        raise InvalidDemoError(str(error)) from None


def _frames(name: str, frames: Frames) -> Frames:
    kind = _field(name)
    if frames.dtype != kind.dtype or not kind.fits(frames.shape[1:]):
        raise InvalidDemoError(
            f"{name} has frames of {frames.dtype} {frames.shape[1:]}; expected {kind}"
        )
    return frames


def _at(column: NDArray[Any] | Frames, frame: int) -> NDArray[Any]:
    if isinstance(column, Frames):
        return _read_only(column[frame % len(column)])
    return column[frame, ...]  # the ellipsis keeps scalars arrays


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _column(name: str, kind: Field, values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim == 0 or not kind.fits(array.shape[1:]):
        raise InvalidDemoError(
            f"{name} has shape {array.shape}; expected the number of frames and then {kind}"
        )
    if not np.can_cast(array.dtype, kind.dtype, "safe"):
        raise InvalidDemoError(f"{name} has type {array.dtype}; expected {kind.dtype}")
    array = _read_only(array.astype(kind.dtype, copy=False))
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        frame = int(finite.argmin())
        raise InvalidDemoError(
            f"{name} is not finite at frame {frame}: {array[frame].tolist()}; do not keep this "
            "demonstration, look for what went wrong in the frames before"
        )
    return array


def _common_length(columns: Mapping[str, NDArray[Any] | Frames]) -> int:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InvalidDemoError(f"columns have different numbers of frames: {listed}")
    length = next(iter(lengths.values()), 0)
    if length < 2:
        raise InvalidDemoError(f"a demonstration has at least 2 frames, this one {length}")
    return length
