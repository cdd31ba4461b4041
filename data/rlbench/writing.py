"""From a demonstration to an episode's folder that RLBench and PerAct read."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from robomtl.data.atomic import (
    raise_if_full,
    remove_abandoned,
    temporary_path,
    write_atomically,
)
from robomtl.data.demo import Demo
from robomtl.data.exceptions import DataError, InvalidDemoError
from robomtl.data.observation import CAMERAS, LOW_DIM, Observation
from robomtl.data.png import encode_png
from robomtl.data.rlbench import layout
from robomtl.data.rlbench.checksums import FILE as CHECKSUMS
from robomtl.data.rlbench.checksums import EpisodeFiles, checksum_line
from robomtl.data.rlbench.images import encode_depth, encode_mask
from robomtl.data.rlbench.pickling import pickled
from robomtl.data.rlbench.reading import read_descriptions
from robomtl.data.rlbench.stand_ins import SavedDemo, SavedObservation

_NEEDED = ("rgb", "depth", "mask", "camera_intrinsics", "camera_extrinsics")


def write_rlbench_demo(demo: Demo, folder: str | Path, *, replace: bool = False) -> None:
    """Writes a demonstration as an episode that `get_stored_demos` of RLBench, or PerAct, loads.

    Colours, masks and numbers come back to the bit, depth to half of 0.3 µm. Depth beyond what
    RLBench's camera of that name sees (`layout.NEAR`, `layout.FAR`) is put on the nearest plane it
    does see. The matrices are the demonstration's own, so that point clouds are right, also where
    the centre of the picture is (W - 1) / 2 rather than RLBench's W / 2. The format has no place
    for simulator states and symmetry, and `seed` becomes the episode's number.

    Fields that the demonstration lacks, and the gripper's matrix, are None, as RLBench leaves what
    was not recorded. PerAct's `ignore_collisions` is 0, what most waypoints of RLBench have.

    The folder appears when it is complete; a list of checksums in it lets `read_rlbench_demo` tell
    any later damage.

    Args:
        demo: With colours, depth, mask and matrices of all five cameras, without which RLBench
            does not load it.
        folder: `<task>/variation<N>/episodes/episode<M>`, or PerAct's
            `<task>/all_variations/episodes/episode<M>`.
        replace: Whether an episode that is there makes room for the complete new one.

    Raises:
        DataError: The path is not that of an episode of this task and variation, or there is one
            that may not be replaced.
        InvalidDemoError: A camera is missing; a mask does not fit into a picture; the variation
            has other descriptions already, and RLBench keeps one set.
        DiskFullError: No space is left; nothing partial stays behind.
    """
    place = layout.EpisodePlace.of(folder)
    _check(demo, place, replace)
    path = place.folder.absolute()
    variation = path.parent.parent
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(variation)
        # Not in `episodes`, where RLBench takes every folder for an episode.
        temporary = temporary_path(variation / path.name)
        try:
            temporary.mkdir()
            _write(demo, place, temporary)
            if path.exists():
                old = temporary_path(variation / path.name)
                os.rename(path, old)
                os.rename(temporary, path)
                shutil.rmtree(old)
            else:
                os.rename(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise_if_full(error, path)
        raise


def _check(demo: Demo, place: layout.EpisodePlace, replace: bool) -> None:
    if place.task != demo.task or place.variation not in (None, demo.variation):
        raise DataError(
            f"{place.folder} cannot be an episode of {demo.task} variation {demo.variation}"
        )
    if place.folder.exists() and not replace:
        raise DataError(f"{place.folder} exists already; delete it, or name another")
    needed = [f"{camera}_{name}" for camera in CAMERAS for name in _NEEDED]
    missing = [name for name in needed if name not in demo.columns]
    if missing:
        raise InvalidDemoError(
            f"the demo {demo.key} has no {', '.join(missing)}; RLBench loads episodes with the "
            f"pictures of all five cameras only: {', '.join(CAMERAS)}"
        )


def _write(demo: Demo, place: layout.EpisodePlace, folder: Path) -> None:
    lines = []
    for path, content in _files(demo, place):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
        lines.append(checksum_line(path, content))
    if place.variation is not None:
        path = f"../../{layout.DESCRIPTIONS_FILE}"
        content = _shared_descriptions(demo, folder.parent)
        lines.append(checksum_line(path, content))
    (folder / CHECKSUMS).write_text("".join(lines))


def _files(demo: Demo, place: layout.EpisodePlace) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file of the episode but the checksums."""
    observations = []
    for frame, observation in enumerate(demo):
        observations.append(_saved(observation, demo.variation))
        for camera in CAMERAS:
            depth = observation[f"{camera}_depth"]
            pictures = {
                "rgb": observation[f"{camera}_rgb"],
                "depth": encode_depth(depth, layout.NEAR, layout.FAR[camera]),
                "mask": encode_mask(observation[f"{camera}_mask"]),
            }
            for kind, pixels in pictures.items():
                yield f"{camera}_{kind}/{frame}.png", encode_png(pixels)
    saved = SavedDemo()
    vars(saved).update(
        _observations=observations,
        random_seed=None,
        num_reset_attempts=demo.attempts,
        variation_number=demo.variation,
    )
    yield layout.LOW_DIM_FILE, pickled(saved)
    if place.variation is None:
        yield layout.VARIATION_FILE, pickled(demo.variation)
        yield layout.DESCRIPTIONS_FILE, pickled(list(demo.descriptions))


def _saved(observation: Observation, variation: int) -> SavedObservation:
    misc: dict[str, object] = {"variation_index": variation}
    saved = SavedObservation()
    for camera in CAMERAS:
        for kind in (*layout.IMAGE_KINDS, "point_cloud"):
            setattr(saved, f"{camera}_{kind}", None)
        misc |= {
            f"{camera}_camera_extrinsics": np.array(observation[f"{camera}_camera_extrinsics"]),
            f"{camera}_camera_intrinsics": np.array(observation[f"{camera}_camera_intrinsics"]),
            f"{camera}_camera_near": layout.NEAR,
            f"{camera}_camera_far": layout.FAR[camera],
        }
    for name in LOW_DIM:
        value = np.array(observation[name]) if name in observation else None
        if value is not None and value.ndim == 0:
            value = value.item()  # RLBench's `gripper_open` is a float
        setattr(saved, name, value)
    vars(saved).update(gripper_matrix=None, ignore_collisions=np.array(0.0), misc=misc)
    return saved


def _shared_descriptions(demo: Demo, variation: Path) -> bytes:
    """The content of a variation's file of descriptions, which is made if there is none."""
    path = variation / layout.DESCRIPTIONS_FILE
    if not path.exists():
        write_atomically(path, pickled(list(demo.descriptions)))
    theirs = read_descriptions(EpisodeFiles(variation))
    if theirs != demo.descriptions:
        raise InvalidDemoError(
            f"the demo {demo.key} is described by {list(demo.descriptions)}, but {path} has "
            f"{list(theirs)}, and RLBench keeps one set for all episodes of a variation"
        )
    return path.read_bytes()
