"""Scenes of the tabletop, rendered by several processes into one file."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from robomtl import envs
from robomtl.data.exceptions import DatasetMismatchError
from robomtl.data.scenes import CLASSES, SPLITS, SceneImages, Scenes, load_scenes, save_scenes
from robomtl.distinct import check_distinct
from robomtl.envs.tabletop.dense import DenseRenderer
from robomtl.exceptions import ExperimentError
from robomtl.outputs import check_file
from robomtl.parallel import cores, parallel
from robomtl.progress import console, progress_bar
from robomtl.settings import differences

_JOB = 50  # images; making a task's world takes as long as rendering thirty
_SEEDS = 1_000_000  # images of one dataset's seed, before those of the next begin


@dataclass(frozen=True)
class SceneCollectConfig:
    """How many scenes to render, of what, and where to keep them."""

    out: Path = Path("runs/scenes/scenes.npz")
    """The file to write."""
    train: int = 1000
    """Images to train on."""
    validation: int = 250
    """Images to choose by."""
    test: int = 250
    """Images to test on."""
    size: int = 64
    """Width and height of the images in pixels, a multiple of 16."""
    tasks: tuple[str, ...] = envs.TASKS
    """Tasks whose things are shown, in turn; `robomtl tasks` explains them."""
    seed: int = 0
    """Seed of everything in the images; no two seeds have an image in common."""
    workers: int = field(default_factory=cores)
    """Processes that render; the images do not depend on their number."""


@dataclass(frozen=True)
class _Job:
    """Images of one task, to be rendered in one go."""

    task: str
    size: int
    scenes: tuple[tuple[int, int], ...]  # variation and seed of each

    def __str__(self) -> str:
        return f"{len(self.scenes)} scenes of {self.task} from seed {self.scenes[0][1]}"


def collect_scenes(config: SceneCollectConfig) -> Scenes:
    """Render the scenes, unless the file has them already, and print how much shows what.

    The file is written at the end, after less than a minute by default; interrupted before, there
    is none.

    Raises:
        ExperimentError: A number that makes no sense, no task or one twice, or a folder in place of
            the file.
        UnknownNameError: There is no such task.
        DatasetMismatchError: The file holds scenes that were made with other settings.
        JobError: A scene could not be rendered; the message names it.
    """
    recipe = _recipe(config)
    check_file(config.out)
    if config.out.exists():
        scenes = load_scenes(config.out)
        if what := differences(scenes.recipe, recipe):
            raise DatasetMismatchError(
                f"{config.out} holds scenes made with other settings: {what}; "
                "write to another file, or delete it"
            )
    else:
        scenes = _render(config, recipe)
        save_scenes(config.out, scenes)
    console.print(_table(scenes))
    return scenes


def _recipe(config: SceneCollectConfig) -> dict[str, Any]:
    counts = {split: getattr(config, split) for split in SPLITS}
    if min(counts.values()) < 1:
        raise ExperimentError(f"every split needs at least 1 image, not {counts}")
    if sum(counts.values()) > _SEEDS or config.seed < 0:
        raise ExperimentError(f"at most {_SEEDS} images, and a seed that is not negative")
    if config.size < 16 or config.size % 16:
        raise ExperimentError(f"the size must be a multiple of 16 pixels, not {config.size}")
    if not config.tasks:
        raise ExperimentError(f"name a task at least; there are: {', '.join(envs.TASKS)}")
    check_distinct("tasks", config.tasks)
    return {"seed": config.seed, "size": config.size, "tasks": list(config.tasks), **counts}


def _render(config: SceneCollectConfig, recipe: dict[str, Any]) -> Scenes:
    counts = [recipe[split] for split in SPLITS]
    total, tasks = sum(counts), config.tasks
    # Image i shows task i modulo their number, whose variations take turns too.
    rows: list[NDArray[np.int64]] = []
    jobs: list[_Job] = []
    for place, task in enumerate(tasks):
        variations = envs.variation_count(task)
        own = np.arange(place, total, len(tasks))
        for start in range(0, len(own), _JOB):
            chunk = own[start : start + _JOB]
            scenes = tuple(
                (int(i // len(tasks)) % variations, config.seed * _SEEDS + int(i)) for i in chunk
            )
            jobs.append(_Job(task, config.size, scenes))
            rows.append(chunk)
    images = _blank(total, config.size)
    with progress_bar("scenes", len(jobs)) as advance:
        for chunk, part in zip(rows, parallel(_render_job, jobs, config.workers), strict=True):
            for name, values in part.items():
                images[name][chunk] = values
            advance()
    ends = np.cumsum([0, *counts])
    splits = {
        split: SceneImages(**{name: values[low:high] for name, values in images.items()})
        for split, low, high in zip(SPLITS, ends, ends[1:], strict=False)
    }
    return Scenes(splits=splits, recipe=recipe)


def _blank(count: int, size: int) -> dict[str, NDArray[Any]]:
    shape = (count, size, size)
    return {
        "rgb": np.empty((*shape, 3), np.uint8),
        "segmentation": np.empty(shape, np.int8),
        "depth": np.empty(shape, np.float32),
        "normals": np.empty((*shape, 3), np.float16),
    }


def _render_job(job: _Job) -> dict[str, NDArray[Any]]:
    renderer = DenseRenderer(job.task, job.size)
    try:
        views = [renderer.render(variation, seed) for variation, seed in job.scenes]
    finally:
        renderer.close()
    return {f.name: np.stack([getattr(v, f.name) for v in views]) for f in fields(SceneImages)}


def _table(scenes: Scenes) -> Table:
    """Which part of the pixels shows each class."""
    sizes = ", ".join(f"{len(images)} {split}" for split, images in scenes.splits.items())
    table = Table("class", title=f"Scenes of {scenes.size} x {scenes.size} pixels: {sizes}")
    for split in SPLITS:
        table.add_column(f"{split} [%]", justify="right")
    shares = [np.bincount(i.segmentation.ravel() + 1) for i in scenes.splits.values()]
    for number, name in enumerate(("(nothing)", *CLASSES)):
        parts = [100 * s[number] / s.sum() if number < len(s) else 0.0 for s in shares]
        table.add_row(name, *(f"{part:.2f}" for part in parts))
    return table
