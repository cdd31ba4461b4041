"""Images of scenes with a label for every pixel, in one file: a dense-prediction benchmark.

The file is numpy's .npz with metadata in JSON: members "train/rgb.npy" and so on, and
"metadata.json". It is written whole or not at all, and nothing in it is ever unpickled.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.data.atomic import write_atomically
from robomtl.data.exceptions import (
    CorruptDatasetError,
    DataError,
    InvalidSamplesError,
    UnsupportedFormatError,
    unknown,
)

#: What a pixel can show; a label is an index into it. Held are knife, bottle, umbrella and money;
#: holders are what knife, bottle and umbrella stand in; markers are places to go to.
CLASSES = (
    "room", "table", "arm", "gripper", "ball", "button", "block", "cup", "marker", "board",
    "holder", "safe", "held",
)  # fmt: skip
SPLITS = ("train", "validation", "test")

FORMAT = 1
"""Version of the file's layout; a reader refuses others."""

_METADATA = "metadata.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class SceneImages:
    """N images of S x S pixels and their labels.

    Attributes:
        rgb: Colours, (N, S, S, 3) uint8.
        segmentation: Index into `CLASSES`, (N, S, S) int8; -1 where nothing is seen.
        depth: Along the optical axis in [m], (N, S, S) float32; 0 where nothing is seen.
        normals: Unit surface normals, (N, S, S, 3) float16, in RLBench's camera frame (x left, y
            up, z forward), turned towards the camera: negative along the ray to the pixel, but for
            rounding, so that z may be above 0 off the middle; all zero where they are unknown.

    Raises:
        InvalidSamplesError: Arrays of other shapes, types or values.
    """

    rgb: NDArray[np.uint8]
    segmentation: NDArray[np.int8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float16]

    def __post_init__(self) -> None:
        images = self.depth.shape
        if len(images) != 3 or images[1] != images[2]:
            raise InvalidSamplesError(f"depth has shape {images}, expected (N, S, S)")
        expected: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
            "rgb": ((*images, 3), np.uint8),
            "segmentation": (images, np.int8),
            "depth": (images, np.float32),
            "normals": ((*images, 3), np.float16),
        }
        for name, (shape, kind) in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != kind:
                raise InvalidSamplesError(
                    f"{name} is {array.dtype} of shape {array.shape}, "
                    f"expected {np.dtype(kind)} of shape {shape}"
                )
        if images[0] == 0:
            return
        if self.segmentation.min() < -1 or self.segmentation.max() >= len(CLASSES):
            raise InvalidSamplesError(f"segmentation has labels outside -1..{len(CLASSES) - 1}")
        if not np.isfinite(self.depth).all() or self.depth.min() < 0:
            raise InvalidSamplesError("depth has values that are negative or not finite")
        if not np.isfinite(self.normals).all():
            raise InvalidSamplesError("normals has values that are not finite")

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def size(self) -> int:
        """Width and height of the images in pixels."""
        return int(self.depth.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenes:
    """A benchmark: images to train on, to choose by, and to test on.

    Attributes:
        splits: `SPLITS` to their images, all of one size.
        recipe: What decided about the images when they were made; "seed" is part of it.

    Raises:
        InvalidSamplesError: Other splits, different sizes, or no seed.
    """

    splits: Mapping[str, SceneImages]
    recipe: Mapping[str, Any]

    def __post_init__(self) -> None:
        if tuple(self.splits) != SPLITS:
            raise InvalidSamplesError(f"the splits are {list(self.splits)}, not {list(SPLITS)}")
        sizes = {name: images.size for name, images in self.splits.items()}
        if len(set(sizes.values())) > 1:
            raise InvalidSamplesError(f"images have different sizes: {sizes} pixels")
        if not isinstance(self.recipe.get("seed"), int):
            raise InvalidSamplesError("the recipe has no integer 'seed'")

    @property
    def size(self) -> int:
        """Width and height of the images in pixels."""
        return self.splits[SPLITS[0]].size

    def noise(self, split: str, row: int) -> NDArray[np.float32]:
        """(S, S) random numbers in [0, 1) that belong to one image of a split, always the same.

        This is the label of the papers' noise prediction task (Auto-lambda, section 5.1): uniform
        and fixed for each image. It is not stored, because it follows from seed, split and row.

        Raises:
            DataError: There is no such split.
        """
        if split not in SPLITS:
            raise DataError(unknown("split", split, SPLITS))
        rng = np.random.default_rng([self.recipe["seed"], SPLITS.index(split), row])
        return rng.random((self.size, self.size), dtype=np.float32)


def save_scenes(path: Path, scenes: Scenes) -> None:
    """Write a benchmark; a kill at any moment leaves what was there before, or the new file.

    Raises:
        DiskFullError: No space is left.
    """
    content = io.BytesIO()
    metadata = {"format": FORMAT, "classes": CLASSES, "recipe": dict(scenes.recipe)}
    with zipfile.ZipFile(content, "w") as archive:
        _write(archive, _METADATA, json.dumps(metadata).encode())
        for split, images in scenes.splits.items():
            for field in fields(SceneImages):
                member = io.BytesIO()
                np.lib.format.write_array(member, getattr(images, field.name), allow_pickle=False)
                _write(archive, f"{split}/{field.name}.npy", member.getvalue())
    write_atomically(path, content.getvalue())


def load_scenes(path: Path) -> Scenes:
    """Read a benchmark into memory; checksums cover every byte of its images.

    Raises:
        DataError: There is no such file.
        UnsupportedFormatError: A version with another layout or other classes wrote it.
        CorruptDatasetError: It is cut short, damaged, or something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read(_METADATA))
            _check_format(path, metadata)
            splits = {
                split: SceneImages(
                    **{f.name: _read(archive, f"{split}/{f.name}") for f in fields(SceneImages)}
                )
                for split in SPLITS
            }
        return Scenes(splits=splits, recipe=metadata["recipe"])
    except FileNotFoundError:
        raise DataError(
            f"there are no scenes at {path}; make them with: robomtl scenes collect --out {path}"
        ) from None
    except (UnsupportedFormatError, OSError):
        raise
    except Exception as error:  # damage shows itself in many ways
        raise CorruptDatasetError(
            f"{path} is damaged or holds no scenes ({type(error).__name__}: {error}); "
            "delete it and make it again"
        ) from error


def _check_format(path: Path, metadata: Mapping[str, Any]) -> None:
    if metadata["format"] != FORMAT or tuple(metadata["classes"]) != CLASSES:
        raise UnsupportedFormatError(
            f"{path} has format {metadata['format']} and classes {metadata['classes']}; this "
            f"version of robomtl reads format {FORMAT} with {list(CLASSES)}: make it again"
        )


def _read(archive: zipfile.ZipFile, name: str) -> Any:
    # Reading a member whole is what makes zipfile compare its checksum.
    member = io.BytesIO(archive.read(f"{name}.npy"))
    return np.lib.format.read_array(member, allow_pickle=False)


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name)  # with a fixed date, for equal bytes
    archive.writestr(member, data, zipfile.ZIP_DEFLATED, 1)
