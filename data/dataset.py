"""Reading a keyframe dataset: what a policy is trained on."""

import hashlib
import json
import operator
import warnings
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.data import layout
from robomtl.data.counted import counted
from robomtl.data.episodes import Episodes
from robomtl.data.exceptions import (
    DataError,
    IncompleteDatasetWarning,
    UnknownTaskError,
    unknown,
)
from robomtl.data.opening import check_chunks, open_array, open_existing, read_rows

_BLOCK = 128  # rows read at once: several chunks, and no more than the processor's cache likes


class KeyframeDataset:
    """Samples of a keyframe dataset, all of them or those of some tasks.

    `dataset[i]` is a sample, a dict of arrays under the field names of `robomtl.data.layout`;
    `load` reads all samples at once. Everything here (length, indices, episodes, the values of the
    field `task`) refers to the selected tasks, in the order in which they were selected. The
    dataset shows what was there when it was opened, even while somebody appends to it.

    Attributes:
        path: Folder of the dataset.
        tasks: Names of the selected tasks; the field `task` indexes them.
        cameras: Names of the cameras.
        image_size: Width and height of the images in pixels.
        recipe: What else decided about the samples when they were made.
        complete: Whether the one who made the dataset finished it.
        keys: Which demonstration each episode is.
        episode_ends: Index after the last sample of each episode, (E,) int64.
    """

    def __init__(self, path: str | Path, tasks: Iterable[str] | None = None) -> None:
        """Opens the dataset, without reading its images.

        Args:
            path: Folder of the dataset.
            tasks: Names of the tasks to select; None selects all.

        Raises:
            DataError: There is no keyframe dataset, or no task is selected.
            UnknownTaskError: A task is not in the dataset; the message lists those that are.
            CorruptDatasetError: Parts of the dataset are missing.
            UnsupportedFormatError: A version with another layout wrote it.

        Warns:
            IncompleteDatasetWarning: The dataset was not finished; `complete` is False.
        """
        self.path = Path(path)
        root = open_existing(self.path)
        settings = dict(root.attrs)
        self._stored_tasks = tuple(settings["tasks"])
        self.tasks = self._selection(tasks)
        self.cameras = tuple(settings["cameras"])
        self.image_size: int = settings["image_size"]
        self.recipe: dict[str, Any] = settings["recipe"]
        self.complete: bool = settings["complete"]
        stored = Episodes.read(self.path, root, self._stored_tasks)
        selected = stored.select(self.tasks)
        self.keys = selected.keys
        self.episode_ends = selected.ends
        self._rows = selected.rows
        names = layout.fields(self.cameras, self.image_size)
        self._arrays = {name: open_array(self.path, root, f"data/{name}") for name in names}
        for array in self._arrays.values():
            check_chunks(self.path, array, stored.samples)
        if not self.complete:
            warnings.warn(
                f"{self.path} is incomplete: it has {counted(len(stored.keys), 'episode')} so far. "
                "Run the command that makes it again; it continues where it stopped",
                IncompleteDatasetWarning,
                stacklevel=2,
            )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, NDArray[Any]]:
        """Reads one sample; images from disk, the rest from memory.

        Raises:
            IndexError: There is no such sample.
            CorruptDatasetError: Its images cannot be read.
        """
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of a dataset of {len(self)} samples")
        row = int(self._rows[i])
        low_dim = self._low_dim
        cameras = [name for name in self._arrays if name not in low_dim]
        return {
            **{name: self._read(name, row, row + 1)[0] for name in cameras},
            **{name: column[i, ...].copy() for name, column in low_dim.items()},
        }

    def load(self) -> dict[str, NDArray[Any]]:
        """Reads all samples into memory, each field (N, ...); images stay uint8 and float32.

        With three cameras of 128 x 128 pixels a sample takes 0.34 MB. Little more than what is
        returned is needed on the way.

        Raises:
            CorruptDatasetError: A part cannot be read.
        """
        return {name: self._column(name) for name in self._arrays}

    def task_indices(self, task: str) -> NDArray[np.int64]:
        """Indices of the samples of a task, increasing.

        Raises:
            UnknownTaskError: The task is not among `tasks`; the message lists them.
        """
        if task not in self.tasks:
            raise UnknownTaskError(unknown(f"task of {self.path}", task, self.tasks))
        return np.flatnonzero(self._low_dim["task"] == self.tasks.index(task))

    def stages(self, task: str) -> int:
        """Number of stages of a task: keyframes of its longest demonstration, 0 if it has none.

        Raises:
            UnknownTaskError: The task is not among `tasks`; the message lists them.
        """
        return int(self._low_dim["stage"][self.task_indices(task)].max(initial=-1)) + 1

    def digest(self) -> str:
        """SHA-256 over the episodes and all fields but those of the cameras.

        Raises:
            CorruptDatasetError: A part cannot be read.
        """
        sha = hashlib.sha256(json.dumps([self.tasks, self.keys]).encode())
        for name, column in self._low_dim.items():
            sha.update(f"{name} {column.dtype.str} {column.shape}".encode())
            sha.update(column.tobytes())
        return sha.hexdigest()

    def __repr__(self) -> str:
        state = "" if self.complete else ", incomplete"
        return (
            f"KeyframeDataset({str(self.path)!r}: {len(self)} samples, {len(self.keys)} episodes, "
            f"{len(self.tasks)} tasks{state})"
        )

    @cached_property
    def _low_dim(self) -> dict[str, NDArray[Any]]:
        return {name: self._column(name) for name in layout.LOW_DIM_FIELDS}

    def _column(self, name: str) -> NDArray[Any]:
        """One field of all samples."""
        array = self._arrays[name]
        column = np.empty((len(self), *array.shape[1:]), array.dtype)
        first_row, last_row = (0, -1) if len(self) == 0 else self._rows[[0, -1]]
        for start in range(first_row - first_row % _BLOCK, last_row + 1, _BLOCK):
            first, last = np.searchsorted(self._rows, (start, start + _BLOCK))
            if first < last:
                rows = self._rows[first:last]
                low, high = int(rows[0]), int(rows[-1]) + 1
                block = self._read(name, low, high)
                # Rows without gaps need no copy in between.
                column[first:last] = block if len(block) == len(rows) else block[rows - low]
        if name == "task":
            index = {task: i for i, task in enumerate(self.tasks)}
            own = np.array([index.get(task, -1) for task in self._stored_tasks])
            column = own[column]
        return column

    def _read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        return read_rows(self.path, self._arrays[name], start, stop)

    def _selection(self, tasks: Iterable[str] | None) -> tuple[str, ...]:
        if tasks is None:
            return self._stored_tasks
        names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
        for name in names:
            if name not in self._stored_tasks:
                raise UnknownTaskError(unknown(f"task of {self.path}", name, self._stored_tasks))
        if not names or len(set(names)) < len(names):
            raise DataError(f"select different tasks of {self.path}, at least one, not {names}")
        return names
