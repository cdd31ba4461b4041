"""A column of a demonstration that is read frame by frame, when someone looks at it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Frames(ABC):
    """T arrays of one shape and type, each made when it is asked for and not kept.

    `Demo` takes such a column in place of an array. What it gives must be finite, and the same
    whenever it is asked.

    Attributes:
        shape: (T, ...), as of an array that holds all frames.
        dtype: Type of its numbers.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @abstractmethod
    def __getitem__(self, frame: int) -> NDArray[Any]:
        """The array of a frame, `shape[1:]`; frames are 0 to T - 1."""

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[frame] for frame in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All frames, `shape`; this is what `numpy.asarray` calls."""
        array = np.empty(self.shape, self.dtype)
        for frame, values in enumerate(self):
            array[frame] = values
        return array if dtype is None else array.astype(dtype, copy=False)
