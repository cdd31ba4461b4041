"""From an episode's folder to a demonstration. RLBench is not needed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.data.demo import Demo
from robomtl.data.exceptions import (
    CorruptDemoError,
    DataError,
    InvalidDemoError,
    MissingDemoError,
    UnsafePickleError,
)
from robomtl.data.frames import Frames
from robomtl.data.observation import CAMERAS
from robomtl.data.rlbench import layout
from robomtl.data.rlbench.checksums import EpisodeFiles
from robomtl.data.rlbench.image_frames import ImageFrames
from robomtl.data.rlbench.images import decode_depth, decode_mask
from robomtl.data.rlbench.low_dim import SavedEpisode, saved_episode
from robomtl.data.rlbench.unpickling import unpickle


def read_rlbench_demo(folder: str | Path) -> Demo:
    """Reads an episode that RLBench, PerAct or `write_rlbench_demo` saved.

    Pictures are decoded when they are looked at. `seed` is the episode's number. What RLBench's
    format has no place for stays unknown: simulator states, and symmetry, which is 1.

    - Depth and the cameras' matrices are there if every observation has them in `misc`, as since
      RLBench 1.1.0 (May 2021); before, nobody saved near, far and where the cameras were.
    - `task_low_dim_state` is there if it has the same size in every frame.
    - Descriptions are empty where the file holds an observation instead, as RLBench wrote it from
      2020 to 2023.
    - Point clouds are not: `robomtl.data.point_cloud` makes them of depth and matrices.

    Args:
        folder: `<task>/variation<N>/episodes/episode<M>`, or PerAct's
            `<task>/all_variations/episodes/episode<M>`.

    Raises:
        DataError: The path is not that of an episode.
        MissingDemoError: There is no such folder.
        CorruptDemoError: A file is missing, too many, damaged or cut short; the message names it.
        UnsafePickleError: A pickle asks for something that is no part of the format.
        UnsupportedFormatError: Depth is grey, as RLBench saved it before April 2020.
    """
    place = layout.EpisodePlace.of(folder)
    if not place.folder.is_dir():
        raise MissingDemoError(f"there is no episode at {place.folder}")
    files = EpisodeFiles(place.folder)
    saved = read_low_dim(files)
    columns: dict[str, NDArray[Any] | Frames] = {**saved.columns}
    for name in picture_folders(place.folder):
        pictures = open_pictures(files, name, saved)
        if pictures is not None:
            columns[name] = pictures
    lost = files.lost()
    if lost:
        raise CorruptDemoError(f"{lost[0]} is missing")
    try:
        return Demo(
            columns,
            task=place.task,
            variation=read_variation(files, place),
            seed=place.number,
            descriptions=read_descriptions(files),
            attempts=saved.attempts,
        )
    except InvalidDemoError as error:
        raise CorruptDemoError(f"{place.folder} holds no demonstration: {error}") from None


def picture_folders(folder: Path) -> list[str]:
    """Names of the folders of pictures that an episode has."""
    names = (f"{camera}_{kind}" for camera in CAMERAS for kind in layout.IMAGE_KINDS)
    return [name for name in names if (folder / name).is_dir()]


def read_low_dim(files: EpisodeFiles) -> SavedEpisode:
    """Reads everything of an episode but its pictures.

    Raises:
        CorruptDemoError: As for `read_rlbench_demo`.
    """
    return _parsed(files, layout.LOW_DIM_FILE, saved_episode)


def open_pictures(files: EpisodeFiles, name: str, saved: SavedEpisode) -> ImageFrames | None:
    """Opens one folder of pictures; None for depth of which nobody knows how far it reaches.

    Raises:
        CorruptDemoError: As for `ImageFrames`.
        UnsupportedFormatError: As for `ImageFrames`.
    """
    camera, _, kind = name.rpartition("_")
    opened = partial(ImageFrames, files, name, saved.length)
    if kind == "rgb":
        return opened(np.uint8, lambda pixels, frame: pixels)
    if kind == "mask":
        return opened(np.int32, lambda pixels, frame: decode_mask(pixels))
    if camera not in saved.planes:
        opened(np.uint8, lambda pixels, frame: pixels)  # grey depth is an error all the same
        return None
    near, far = saved.planes[camera]
    return opened(np.float32, lambda pixels, i: decode_depth(pixels, float(near[i]), float(far[i])))


def read_variation(files: EpisodeFiles, place: layout.EpisodePlace) -> int:
    """Which variation of its task an episode is.

    Raises:
        CorruptDemoError: The file that says so is missing, damaged, or says something else than
            the folder's name.
    """
    name = layout.VARIATION_FILE
    if place.variation is not None and not (place.folder / name).exists():
        return place.variation
    number = _parsed(files, name, _number)
    if place.variation not in (None, number):
        raise CorruptDemoError(
            f"{place.folder / name} says variation {number}, the folder variation {place.variation}"
        )
    return number


def read_descriptions(files: EpisodeFiles) -> tuple[str, ...]:
    """The task in words; PerAct keeps them with each episode, RLBench with the variation.

    Raises:
        CorruptDemoError: The file is damaged.
    """
    name = layout.DESCRIPTIONS_FILE
    for path in (name, f"../../{name}"):
        if (files.folder / path).exists():
            return _parsed(files, path, _descriptions)
    return ()


def _parsed(files: EpisodeFiles, path: str, parse: Callable[[Any], Any]) -> Any:
    """Unpickles a file and makes sense of what it holds; errors name the file."""
    content = files.read(path)
    try:
        return parse(unpickle(content))
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{files.folder / path} is not safe to open: {error}") from None
    except (DataError, ValueError, TypeError, OverflowError) as error:
        raise CorruptDemoError(f"{files.folder / path} is damaged: {error}") from error


def _number(value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise ValueError(f"it holds a {type(value).__name__}, not the number of a variation")
    return int(value)


def _descriptions(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        if hasattr(value, "joint_positions"):  # RLBench's swap of observation and descriptions
            return ()
        raise ValueError(f"it holds a {type(value).__name__}, not descriptions")
    if not all(isinstance(text, str) for text in value):
        raise ValueError("it holds other things than texts")
    return tuple(value)
