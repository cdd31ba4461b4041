"""`robomtl demos export`: demonstrations in the format that RLBench and PerAct load."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from robomtl.data import (
    CAMERAS,
    Demo,
    DemoKey,
    Frames,
    Observation,
    open_demos,
    write_rlbench_demo,
)
from robomtl.data.counted import counted
from robomtl.demos.exported import check_exported, damaged_episodes
from robomtl.environments import kept_tabletop
from robomtl.exceptions import ExperimentError
from robomtl.outputs import check_folder
from robomtl.parallel import check_workers, cores, parallel
from robomtl.progress import console, progress_bar

Layout = Literal["rlbench", "peract"]


@dataclass(frozen=True)
class DemosExportConfig:
    """Which demonstrations to write in RLBench's saved format, and where."""

    demos: Path = Path("runs/quickstart/demos")
    """Folder of demonstrations, as `robomtl collect` makes it."""
    out: Path = Path("runs/quickstart/rlbench")
    """Folder to write; the same folder again continues, and writes anew what is damaged."""
    layout: Layout = "rlbench"
    """Folders by variation, as RLBench has them, or all in one, as PerAct has."""
    image_size: int = 128
    """Width and height of the images in pixels; demonstrations without simulator states have
    images of their own, which are written as they are."""
    tasks: tuple[str, ...] = ()
    """Tasks to take; without any, all that there are demonstrations of."""
    workers: int = field(default_factory=cores)
    """Processes that render."""


def export_demos(config: DemosExportConfig) -> list[Path]:
    """Writes what is not there yet, or damaged, every frame seen by all five cameras.

    Returns:
        The folders of the episodes that were written now. A demonstration's seed is the number of
        its episode.

    Raises:
        ExperimentError: There is no demonstration of a task, two would be the same episode,
            images would have no pixel, or `out` is a file, or a folder with other episodes; nothing
            has been done then.
        JobError: A demonstration could not be read, rendered or written; the message names it.
        DataError: `demos` is no folder of demonstrations.
    """
    check_folder(config.out)
    check_workers(config.workers)
    if config.image_size < 1:
        raise ExperimentError(f"image size must be at least 1, not {config.image_size}")
    demos = open_demos(config.demos)
    keys = demos.keys()
    lacking = sorted(set(config.tasks) - {key.task for key in keys})
    if lacking:
        raise ExperimentError(f"{config.demos} has no demonstrations of {', '.join(lacking)}")
    keys = [key for key in keys if not config.tasks or key.task in config.tasks]
    folders = {key: _episode(config, key) for key in keys}
    ((folder, count),) = Counter(folders.values()).most_common(1)
    if count > 1:
        raise ExperimentError(
            f"{count} demonstrations of different variations have the seed of {folder}: PerAct's "
            "layout has one episode of each number; use --layout rlbench"
        )
    drawn = demos.load(*keys[0]).states is not None
    size = config.image_size if drawn else None
    check_exported(config.out, config.layout, size, {folders[key]: key for key in keys})
    there = [folder for folder in folders.values() if folder.exists()]
    damaged = damaged_episodes(there, config.workers) if there else set()
    missing = [key for key in keys if folders[key] not in there or folders[key] in damaged]
    with progress_bar("demonstrations", len(keys), len(keys) - len(missing)) as advance:
        for _ in parallel(partial(_export_one, config), missing, config.workers):
            advance()
    console.print(
        f"{counted(len(keys), 'episode')} in {config.out}: {len(missing)} written now, "
        f"{len(damaged)} of them in place of damaged ones",
        soft_wrap=True,
    )
    return [folders[key] for key in missing]


def _episode(config: DemosExportConfig, key: DemoKey) -> Path:
    variation = f"variation{key.variation}" if config.layout == "rlbench" else "all_variations"
    return config.out / key.task / variation / "episodes" / f"episode{key.seed}"


def _export_one(config: DemosExportConfig, key: DemoKey) -> None:
    demo = open_demos(config.demos).load(*key)
    if demo.states is not None:
        demo = _rendered(demo, config.image_size)
    write_rlbench_demo(demo, _episode(config, key), replace=True)


def _rendered(demo: Demo, image_size: int) -> Demo:
    """The same demonstration with what all cameras see, drawn when it is looked at."""
    env = kept_tabletop(demo.task, demo.variation, CAMERAS, image_size)
    # All columns of a frame are written before the next one: more would fill the memory.
    view = lru_cache(1)(partial(env.observe, demo, masks=True))
    columns = {name: _View(view, name, len(demo)) for name in view(0) if name not in demo.columns}
    return Demo(
        {**demo.columns, **columns},
        task=demo.task,
        variation=demo.variation,
        seed=demo.seed,
        descriptions=demo.descriptions,
        attempts=demo.attempts,
    )


class _View(Frames):
    """One field of what the simulator's cameras see of a demonstration."""

    def __init__(self, view: Callable[[int], Observation], name: str, length: int) -> None:
        first = view(0)[name]
        self._view, self._name = view, name
        self.shape, self.dtype = (length, *first.shape), first.dtype

    def __getitem__(self, frame: int) -> NDArray[Any]:
        return self._view(frame)[self._name]
