"""Finding, recognising and making the zarr group of a keyframe dataset."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.errors import GroupNotFoundError

from robomtl.data import layout
from robomtl.data.column import create_column
from robomtl.data.exceptions import (
    CorruptDatasetError,
    DataError,
    DatasetMismatchError,
    OtherFilesError,
    UnsupportedFormatError,
)
from robomtl.data.observation import Field

# What zarr's local store renames to a file when it is complete.
_UNFINISHED_FILE = re.compile(r".+\.[0-9a-f]{32}\.partial")

_REMEDY = "delete the dataset and make it again"


def open_existing(path: Path) -> zarr.Group:
    """Opens a dataset for reading.

    Raises:
        DataError: There is none at this path.
        CorruptDatasetError: Its description is damaged.
        UnsupportedFormatError: A version with another layout wrote it.
    """
    try:
        root = _open_group(path, "r")
    except (FileNotFoundError, NotADirectoryError):  # no folder, or a folder without a group
        raise DataError(
            f"there is no keyframe dataset at {path}: `robomtl keyframes` makes one"
        ) from None
    _check_kind(path, root)
    if "format" not in root.attrs:
        raise DataError(
            f"the dataset at {path} was interrupted before its first episode; run the command that "
            "makes it again"
        )
    return root


def open_or_create(
    path: Path, settings: Mapping[str, Any], fields: Mapping[str, Field]
) -> zarr.Group:
    """Opens a dataset for writing; makes it in a folder that is empty. The folder must be locked.

    A dataset that was begun and never got anything is made again, with these settings.

    Args:
        path: The folder, which exists.
        settings: Attributes that decide what is in the dataset: tasks, cameras, ...
        fields: Fields of a sample.

    Raises:
        DatasetMismatchError: There is something else, or a dataset of other settings.
        CorruptDatasetError: Its description is damaged.
        UnsupportedFormatError: A version with another layout wrote it.
    """
    if all(map(_is_unfinished, path.iterdir())):
        # The kind goes in first, the format with everything else at the end: a group that has one
        # without the other was interrupted in between, holds nothing, and can be made again.
        zarr.create_group(path, attributes={"kind": layout.KIND})
    try:
        root = _open_group(path, "r+")
    except GroupNotFoundError:
        raise OtherFilesError(path) from None
    _check_kind(path, root)
    for left_by_a_kill in filter(_is_unfinished, path.rglob("*")):
        left_by_a_kill.unlink()
    if "format" in root.attrs and _differences(root, settings) and _is_empty(path):
        root.attrs.put({"kind": layout.KIND})
    if "format" not in root.attrs:
        _create_arrays(path, root, fields)
        root.attrs.put(
            {"kind": layout.KIND, "format": layout.FORMAT, **settings, "complete": False}
        )
    _check_settings(path, root, settings)
    return root


def open_array(path: Path, root: zarr.Group, name: str) -> zarr.Array[Any]:
    """Opens one array of a dataset.

    Raises:
        CorruptDatasetError: It is not there or its description is damaged.
    """
    try:
        array = root[name]
    except (KeyError, ValueError) as error:
        raise CorruptDatasetError(f"{path / name} is missing or damaged; {_REMEDY}") from error
    if not isinstance(array, zarr.Array):
        raise CorruptDatasetError(f"{path / name} is not an array; {_REMEDY}")
    return array


def check_chunks(path: Path, array: zarr.Array[Any], rows: int) -> None:
    """Refuses an array of the dataset at `path` that lacks chunks of its first rows.

    They would read as zeros.

    Raises:
        CorruptDatasetError: It does; the message names the array.
    """
    expected = -(-rows // array.chunks[0])
    if array.nchunks_initialized < expected:
        raise CorruptDatasetError(
            f"{path / array.path} has {array.nchunks_initialized} of {expected} chunks: perhaps it "
            "was copied only in part; copy it, or make it, again"
        )


def read_rows(path: Path, array: zarr.Array[Any], start: int, stop: int) -> NDArray[Any]:
    """Reads rows of an array of the dataset at `path`.

    Raises:
        CorruptDatasetError: They cannot be decoded; the message names the array and the rows.
    """
    try:
        return np.asarray(array[start:stop])
    except (OSError, MemoryError):  # says nothing about the data
        raise
    except Exception as error:  # whatever decoding damaged bytes stumbles over
        raise CorruptDatasetError(
            f"{path / array.path} is damaged in rows {start} to {stop - 1} "
            f"({type(error).__name__}: {error}); {_REMEDY}"
        ) from error


def _open_group(path: Path, mode: Literal["r", "r+"]) -> zarr.Group:
    try:
        return zarr.open_group(path, mode=mode)
    except GroupNotFoundError:  # which is a ValueError too
        raise
    except ValueError as error:
        raise CorruptDatasetError(f"{path / 'zarr.json'} is damaged: {error}; {_REMEDY}") from error


def _is_unfinished(path: Path) -> bool:
    return _UNFINISHED_FILE.fullmatch(path.name) is not None and path.is_file()


def _is_empty(path: Path) -> bool:
    """Whether nothing was ever written to any array."""
    files = (file for name in ("data", "meta") for file in (path / name).rglob("*"))
    return not any(file.is_file() and file.name != "zarr.json" for file in files)


def _create_arrays(path: Path, root: zarr.Group, fields: Mapping[str, Field]) -> None:
    for name in ("data", "meta"):
        shutil.rmtree(path / name, ignore_errors=True)
    data, meta = root.create_group("data"), root.create_group("meta")
    for name, field in fields.items():
        create_column(data, name, field)
    for name in layout.KEY_FIELDS:
        create_column(meta, f"episode_{name}", layout.EPISODE_FIELD)
    create_column(meta, "episode_ends", layout.EPISODE_FIELD, fill=layout.NO_END)


def _check_kind(path: Path, root: zarr.Group) -> None:
    if root.attrs.get("kind") != layout.KIND:
        raise DatasetMismatchError(f"{path} is a zarr group, but not a {layout.KIND}")
    version = root.attrs.get("format", layout.FORMAT)
    if version != layout.FORMAT:
        raise UnsupportedFormatError(
            f"{path} has format {version}, but this version of robomtl uses format {layout.FORMAT}"
        )


def _check_settings(path: Path, root: zarr.Group, settings: Mapping[str, Any]) -> None:
    if differences := _differences(root, settings):
        raise DatasetMismatchError(
            f"{path} was begun with {'; '.join(differences)}; continue it with its own settings, "
            "or write to another folder"
        )


def _differences(root: zarr.Group, settings: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {root.attrs[name]!r} instead of {value!r}"
        for name, value in settings.items()
        if root.attrs[name] != value
    ]
