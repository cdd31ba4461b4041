"""From demonstrations to a keyframe dataset: the only frames whose images are ever rendered."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from rich.table import Table

from robomtl.data import (
    DemoKey,
    DemoStore,
    KeyframeDataset,
    KeyframeWriter,
    find_keyframes,
    keyframe_samples,
    low_dim_samples,
)
from robomtl.data.layout import camera_fields
from robomtl.environments import kept_environment
from robomtl.exceptions import ExperimentError
from robomtl.parallel import cores, parallel
from robomtl.progress import console, progress_bar


@dataclass(frozen=True)
class KeyframesConfig:
    """Which demonstrations to keyframe, how, and what the cameras see."""

    demos: Path
    """Folder of demonstrations, as `robomtl collect` makes it."""
    out: Path
    """The dataset to write (*.zarr); the same path again continues it."""
    method: str = "stopped"
    """How keyframes are found: "stopped" (gripper changes, stops), "fixed_interval", "random"."""
    cameras: tuple[str, ...] = ("left_shoulder", "right_shoulder", "wrist")
    """Cameras of every sample."""
    image_size: int = 128
    """Width and height of the images in pixels."""
    tasks: tuple[str, ...] = ()
    """Tasks to take; without any, all that there are demonstrations of."""
    every: int | None = None
    """Also take every n-th frame in the first half of the way to each keyframe."""
    workers: int = field(default_factory=cores)
    """Processes that render; the dataset does not depend on their number."""


def keyframes(config: KeyframesConfig) -> KeyframeDataset:
    """Renders what the dataset lacks yet, and prints a table of all of it.

    Episodes are written in the order of their keys, whatever the workers do, so that equal stores
    and configs give equal datasets.

    Raises:
        ExperimentError: The store has no demonstration.
        JobError: A demonstration could not be read or rendered; the message names it.
        DataError: `out` holds a dataset made with other settings.
    """
    keys = DemoStore(config.demos).keys()
    tasks = config.tasks or tuple(sorted({key.task for key in keys}))
    keys = [key for key in keys if key.task in tasks]
    lacking = set(tasks) - {key.task for key in keys}
    if lacking or not keys:
        wanted = ", ".join(sorted(lacking)) or "any task"
        raise ExperimentError(
            f"{config.demos} has no demonstrations of {wanted}: run `robomtl collect` first"
        )
    recipe = {"method": config.method, "every": config.every}
    with KeyframeWriter(config.out, tasks, config.cameras, config.image_size, recipe) as writer:
        missing = [key for key in keys if key not in writer.done]
        episodes = parallel(partial(_render_episode, config), missing, config.workers)
        with progress_bar("episodes", len(keys), len(keys) - len(missing)) as advance:
            for key, samples in zip(missing, episodes, strict=True):
                writer.append(key, samples)
                advance()
        writer.finish()
    dataset = KeyframeDataset(config.out)
    console.print(_table(dataset))
    return dataset


def _render_episode(config: KeyframesConfig, key: DemoKey) -> dict[str, np.ndarray]:
    """The samples of one demonstration, each field (N, ...)."""
    demo = DemoStore(config.demos).load(*key)
    found = find_keyframes(demo, config.method, rng=np.random.default_rng(key.seed))
    pairs = keyframe_samples(demo, found, config.every)
    env = kept_environment(key.task, key.variation, config.cameras, config.image_size)
    views = [env.observe(demo, frame) for frame, _ in pairs]
    return low_dim_samples(demo, found, pairs) | {
        name: np.stack([view[name] for view in views])
        for name in camera_fields(config.cameras, config.image_size)
    }


def _table(dataset: KeyframeDataset) -> Table:
    table = Table("task", title="Keyframe dataset")
    for name in ("samples", "stages"):
        table.add_column(name, justify="right")
    for task in dataset.tasks:
        table.add_row(task, str(len(dataset.task_indices(task))), str(dataset.stages(task)))
    return table
