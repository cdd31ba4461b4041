"""From demonstrations to a keyframe dataset: the only frames whose images are ever needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from robomtl.agents.network import IMAGE_MULTIPLE
from robomtl.data import (
    CAMERAS,
    Demo,
    DemoKey,
    KeyframeDataset,
    KeyframeWriter,
    find_keyframes,
    keyframe_samples,
    low_dim_samples,
    open_demos,
)
from robomtl.data.keyframes import check_every, check_method
from robomtl.data.layout import camera_fields
from robomtl.data.observation import Field, check_cameras
from robomtl.environments import kept_tabletop
from robomtl.envs import TabletopEnv
from robomtl.exceptions import ExperimentError
from robomtl.outputs import check_folder
from robomtl.parallel import check_workers, cores, parallel
from robomtl.progress import console, progress_bar

View = Callable[[int], Mapping[str, NDArray[Any]]]


@dataclass(frozen=True)
class KeyframesConfig:
    """Which demonstrations to keyframe, how, and what the cameras see."""

    demos: Path
    """Folder of demonstrations: what `robomtl collect` makes, or episodes that RLBench saved."""
    out: Path
    """The dataset to write (*.zarr); the same path again continues it."""
    method: str = "stopped"
    """How keyframes are found: "stopped" (gripper changes, stops), "fixed_interval", "random"."""
    cameras: tuple[str, ...] = ("left_shoulder", "right_shoulder", "wrist")
    """Cameras of every sample."""
    image_size: int = 128
    """Width and height of the images in pixels; demonstrations without simulator states have
    images of their own, and this must be their size. A multiple of 16, as policies need it."""
    tasks: tuple[str, ...] = ()
    """Tasks to take; without any, all that there are demonstrations of."""
    every: int | None = None
    """Also take every n-th frame in the first half of the way to each keyframe."""
    workers: int = field(default_factory=cores)
    """Processes that render; the dataset does not depend on their number."""


def keyframes(config: KeyframesConfig, chosen: Sequence[DemoKey] | None = None) -> KeyframeDataset:
    """Adds what the dataset lacks yet, and prints a table of all of it.

    Demonstrations with simulator states are rendered; others, of RLBench for one, have images.

    Tasks and episodes are written in alphabetical order and that of their keys, whatever order
    the tasks were named in and whatever the workers do, so that equal stores and configs give equal
    datasets, and the same tasks continue one.

    Args:
        config: What to take, and how.
        chosen: The demonstrations to take; without them, all that there are of the config's tasks.

    Raises:
        ExperimentError: There is no demonstration of a task, no camera is named, no policy
            could look at images of that size, or `out` is a file; nothing has been done then.
        JobError: A demonstration could not be read or rendered, or has no such images; the message
            names it. Of the first one, nothing has been done then.
        DataError: There is no such method or camera, `every` is below 1, `demos` is no folder of
            demonstrations, or `out` holds a dataset made with other settings.
    """
    _check(config)
    keys = open_demos(config.demos).keys() if chosen is None else sorted(chosen)
    tasks = tuple(sorted(set(config.tasks) or {key.task for key in keys}))
    keys = [key for key in keys if key.task in tasks]
    lacking = set(tasks) - {key.task for key in keys}
    if lacking or not keys:
        wanted = ", ".join(sorted(lacking)) or "any task"
        raise ExperimentError(
            f"{config.demos} has no demonstrations of {wanted}: run `robomtl collect` first"
        )
    # Demonstrations of a folder are alike: what cannot be had of one, nothing is begun for.
    list(parallel(partial(_view, config), keys[:1], workers=1))
    recipe = {"method": config.method, "every": config.every}
    with KeyframeWriter(config.out, tasks, config.cameras, config.image_size, recipe) as writer:
        missing = [key for key in keys if key not in writer.done]
        episodes = parallel(partial(_samples, config), missing, config.workers)
        with progress_bar("episodes", len(keys), len(keys) - len(missing)) as advance:
            for key, samples in zip(missing, episodes, strict=True):
                writer.append(key, samples)
                advance()
        writer.finish()
    dataset = KeyframeDataset(config.out)
    console.print(_table(dataset))
    return dataset


def _check(config: KeyframesConfig) -> None:
    """Refuses what could not be done with any demonstration."""
    check_folder(config.out)
    check_workers(config.workers)
    check_method(config.method)
    if config.every is not None:
        check_every(config.every)
    if not config.cameras:
        raise ExperimentError(f"name at least one camera, such as {', '.join(CAMERAS)}")
    check_cameras(config.cameras)
    if config.image_size < 1 or config.image_size % IMAGE_MULTIPLE:
        raise ExperimentError(
            f"the image size must be a multiple of {IMAGE_MULTIPLE} pixels, as policies need it, "
            f"not {config.image_size}"
        )


def _samples(config: KeyframesConfig, key: DemoKey) -> dict[str, np.ndarray]:
    """The samples of one demonstration, each field (N, ...)."""
    demo, view = _view(config, key)
    found = find_keyframes(demo, config.method, rng=np.random.default_rng(key.seed))
    pairs = keyframe_samples(demo, found, config.every)
    views = [view(frame) for frame, _ in pairs]
    return low_dim_samples(demo, found, pairs) | {
        name: np.stack([view[name] for view in views])
        for name in camera_fields(config.cameras, config.image_size)
    }


def _view(config: KeyframesConfig, key: DemoKey) -> tuple[Demo, View]:
    """A demonstration, and what looks at a frame of it: the simulator is not started before."""
    demo = open_demos(config.demos).load(*key)
    if demo.states is None:
        return demo, _recorded(demo, camera_fields(config.cameras, config.image_size))
    TabletopEnv.check_cameras(config.cameras)
    return demo, partial(_rendered, demo, config)


def _rendered(demo: Demo, config: KeyframesConfig, frame: int) -> Mapping[str, NDArray[Any]]:
    """Looks at a frame through the simulator's cameras."""
    env = kept_tabletop(demo.task, demo.variation, config.cameras, config.image_size)
    return env.observe(demo, frame)


def _recorded(demo: Demo, fields: Mapping[str, Field]) -> View:
    """Looks at a frame through the cameras that recorded it.

    Raises:
        ExperimentError: They did not, or at another size.
    """
    missing = [name for name in fields if name not in demo.columns]
    if missing:
        raise ExperimentError(
            f"it has neither simulator states to render nor {', '.join(missing)}; it has "
            f"{', '.join(demo.columns)}. Choose other --cameras. (Depth and matrices of RLBench's "
            "own demonstrations are known since RLBench 1.1.0)"
        )
    for name, kind in fields.items():
        shape = demo.columns[name].shape[1:]
        if not kind.fits(shape):
            height, width = shape[:2]
            remedy = f"use --image-size {width}" if height == width else "datasets' are square"
            raise ExperimentError(
                f"its images {name} have {width} x {height} pixels, another size than was asked "
                f"for, and it has no simulator states to render others: {remedy}"
            )
    return lambda frame: {name: demo.columns[name][frame] for name in fields}


def _table(dataset: KeyframeDataset) -> Table:
    table = Table("task", title="Keyframe dataset")
    for name in ("samples", "stages"):
        table.add_column(name, justify="right")
    for task in dataset.tasks:
        table.add_row(task, str(len(dataset.task_indices(task))), str(dataset.stages(task)))
    return table
