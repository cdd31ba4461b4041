"""Building a keyframe dataset, episode by episode, through kills and restarts."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robomtl.data import layout
from robomtl.data.atomic import raise_if_full
from robomtl.data.column import Column
from robomtl.data.demo import DemoKey
from robomtl.data.episodes import Episodes
from robomtl.data.exceptions import (
    DataError,
    InvalidSamplesError,
    UnknownTaskError,
    unknown,
)
from robomtl.data.locking import FolderLock
from robomtl.data.observation import Field, check_cameras
from robomtl.data.opening import check_chunks, open_array, open_or_create, read_rows


class KeyframeWriter:
    """Appends episodes to a keyframe dataset, new or existing; `robomtl.data.layout` describes it.

    An episode counts from the moment its end is written to `meta/episode_ends`, which happens last.
    A kill thus costs at most the episode being appended; opening the dataset again continues after
    the last one that counts. The same episodes in the same order give equal arrays, however often
    the writing was interrupted. Readers may open the dataset at any time.

    Use it as a context manager, or call `close` or `finish`: until then nobody else can write.

    Attributes:
        path: Folder of the dataset.
        tasks: Names of the tasks; `data/task` indexes them.
        done: Demonstrations whose episodes are in the dataset.
    """

    def __init__(
        self,
        path: str | Path,
        tasks: Iterable[str],
        cameras: Iterable[str],
        image_size: int,
        recipe: Mapping[str, str | int | float | bool | None] | None = None,
    ) -> None:
        """Creates the dataset, or opens it where it was left.

        Args:
            path: Folder of the dataset; it is made where it does not exist.
            tasks: Names of all tasks that episodes may be of.
            cameras: Names of the cameras of every sample.
            image_size: Width and height of the images in pixels.
            recipe: What else decides about the samples, such as the keyframe method. It is kept
                with the dataset, and a dataset is only continued by the recipe it was begun with.

        Raises:
            DatasetMismatchError: The folder holds something else, or a dataset of other settings;
                the message names the differences.
            DatasetInUseError: Another writer has it open.
            CorruptDatasetError: It is damaged.
            UnknownCameraError: There is no such camera.
            DataError: No task, one named twice, or no pixel.
            DiskFullError: No space is left.
        """
        self.path = Path(path)
        self.tasks = tuple(tasks)
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise DataError(f"tasks must be different names, at least one, not {self.tasks}")
        if image_size < 1:
            raise DataError(f"image_size must be at least 1, not {image_size}")
        cameras = tuple(cameras)
        check_cameras(cameras)
        self._fields = layout.fields(cameras, image_size)
        settings = {
            "tasks": list(self.tasks),
            "cameras": list(cameras),
            "image_size": image_size,
            "recipe": json.loads(json.dumps(dict(recipe or {}))),
        }
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.path)
            try:
                self._root = open_or_create(self.path, settings, self._fields)
                self._continue()
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise_if_full(error, self.path)
            raise
        self._open = True

    def append(self, key: DemoKey, samples: Mapping[str, ArrayLike]) -> None:
        """Adds the samples of one demonstration as an episode.

        Args:
            key: The demonstration.
            samples: All fields of `layout.fields` but `task`, which the key tells, each (N, ...)
                with the same N of at least 1.

        Raises:
            UnknownTaskError: The task is none of the dataset's.
            InvalidSamplesError: The episode is there already, or the arrays do not fit; the message
                names the field.
            DiskFullError: No space is left. The writer is closed, what was appended before counts.
        """
        self._check_open()
        if key.task not in self.tasks:
            raise UnknownTaskError(unknown(f"task of {self.path}", key.task, self.tasks))
        if key in self.done:
            raise InvalidSamplesError(f"{self.path} has an episode of {key} already")
        task = self.tasks.index(key.task)
        rows = _check_samples(key, samples, self._fields)
        count = len(rows["stage"])
        rows["task"] = np.full(count, task)
        try:
            if self._root.attrs["complete"]:
                self._root.attrs["complete"] = False
            for name, column in self._data.items():
                column.write(self._samples, rows[name])
            row = {"task": task, "variation": key.variation, "seed": key.seed}
            row["ends"] = self._samples + count  # the last one to be written: now it counts
            for name, value in row.items():
                self._meta[name].write(self._episodes, np.array([value]))
        except BaseException as error:
            self.close()
            raise_if_full(error, self.path)
            raise
        self._samples += count
        self._episodes += 1
        self.done.add(key)

    def finish(self) -> None:
        """Cuts the arrays to what they hold, marks the dataset complete, and closes it."""
        self._check_open()
        try:
            for column in self._data.values():
                column.resize(self._samples)
            for column in self._meta.values():
                column.resize(self._episodes)
            self._root.attrs["complete"] = True
        except OSError as error:
            raise_if_full(error, self.path)
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Lets others write. A dataset that is not finished stays incomplete."""
        self._open = False
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _continue(self) -> None:
        episodes = Episodes.read(self.path, self._root, self.tasks)
        self.done = set(episodes.keys)
        self._episodes, self._samples = len(episodes.keys), episodes.samples
        self._data = {name: self._column(f"data/{name}", self._samples) for name in self._fields}
        self._meta = {
            name: self._column(f"meta/episode_{name}", self._episodes)
            for name in (*layout.KEY_FIELDS, "ends")
        }

    def _column(self, name: str, length: int) -> Column:
        array = open_array(self.path, self._root, name)
        check_chunks(self.path, array, length)
        return Column(array, read_rows(self.path, array, length - length % array.chunks[0], length))

    def _check_open(self) -> None:
        if not self._open:
            raise DataError(f"this writer of {self.path} is closed; open another to continue")


def _check_samples(
    key: DemoKey, samples: Mapping[str, ArrayLike], fields: Mapping[str, Field]
) -> dict[str, NDArray[Any]]:
    expected = fields.keys() - {"task"}
    if samples.keys() != expected:
        missing, extra = expected - samples.keys(), samples.keys() - expected
        raise InvalidSamplesError(
            f"samples of {key}: missing {_list(missing)}, not expected {_list(extra)}"
        )
    rows = {name: np.asarray(samples[name]) for name in expected}
    count = len(rows["stage"]) if rows["stage"].ndim else 0
    if count == 0:
        raise InvalidSamplesError(f"samples of {key}: stage has no rows; an episode has some")
    for name, array in rows.items():
        field = fields[name]
        if array.shape[:1] != (count,) or not field.fits(array.shape[1:]):
            raise InvalidSamplesError(
                f"samples of {key}: {name} has shape {array.shape}; expected {count} of {field}"
            )
        if not np.can_cast(array.dtype, field.dtype, "safe"):
            raise InvalidSamplesError(
                f"samples of {key}: {name} has type {array.dtype}; expected {field.dtype}"
            )
        if not np.isfinite(array).all():
            sample = int(np.isfinite(array).reshape(count, -1).all(axis=1).argmin())
            raise InvalidSamplesError(f"samples of {key}: {name} of sample {sample} is not finite")
    return rows


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
