"""Which rows of a keyframe dataset belong to which demonstration."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import zarr
from numpy.typing import NDArray

from robomtl.data import layout
from robomtl.data.demo import DemoKey
from robomtl.data.exceptions import CorruptDatasetError
from robomtl.data.opening import open_array, read_rows


@dataclass(frozen=True)
class Episodes:
    """Episodes, and where their samples are on disk.

    Attributes:
        keys: Which demonstration each of the E episodes is.
        lengths: Number of samples of each, (E,) int64.
        starts: Row of the first sample of each, (E,) int64.
    """

    keys: tuple[DemoKey, ...]
    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path, root: zarr.Group, tasks: tuple[str, ...]) -> Self:
        """Reads the episodes that count, of a dataset of these tasks.

        Raises:
            CorruptDatasetError: They cannot be read.
        """
        # The ends are read first: other arrays may grow meanwhile, but are never behind them.
        ends = _read(path, root, "ends")
        count = int(np.count_nonzero(ends != layout.NO_END))
        ends, behind = ends[:count], ends[count:]
        starts = np.concatenate((np.zeros(1, np.int64), ends))[:-1]
        if (ends <= starts).any() or (len(behind) and _is_complete(path, root)):
            raise _lost(path, "ends")
        task, variation, seed = (
            _read(path, root, name, count).tolist() for name in layout.KEY_FIELDS
        )
        keys = map(DemoKey, (tasks[index] for index in task), variation, seed)
        return cls(tuple(keys), ends - starts, starts)

    def select(self, tasks: Iterable[str]) -> "Episodes":
        """Those of some tasks."""
        wanted = set(tasks)
        chosen = np.array([key.task in wanted for key in self.keys], bool)
        keys = tuple(key for key in self.keys if key.task in wanted)
        return Episodes(keys, self.lengths[chosen], self.starts[chosen])

    @property
    def ends(self) -> NDArray[np.int64]:
        """Index after the last sample of each episode, counting only samples of these, (E,)."""
        return np.cumsum(self.lengths)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.lengths.sum())

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of every sample on disk, increasing, (N,)."""
        shift = self.starts + self.lengths - self.ends
        return np.arange(self.samples) + np.repeat(shift, self.lengths)


def _read(path: Path, root: zarr.Group, name: str, count: int | None = None) -> NDArray[np.int64]:
    """One array: all of it, or its first rows, of which all chunks must be there."""
    array = open_array(path, root, f"meta/episode_{name}")
    if count is None:
        return read_rows(path, array, 0, array.shape[0])
    if array.nchunks_initialized < -(-count // array.chunks[0]):
        raise _lost(path, name)
    return read_rows(path, array, 0, count)


def _is_complete(path: Path, root: zarr.Group) -> bool:
    """Whether a dataset was complete when it was opened and is so now: nobody appends to it."""
    return root.attrs["complete"] and zarr.open_group(path, mode="r").attrs["complete"]


def _lost(path: Path, name: str) -> CorruptDatasetError:
    return CorruptDatasetError(
        f"{path / 'meta' / f'episode_{name}'} lacks chunks: perhaps it was copied only in part; "
        "copy it, or make it, again"
    )
