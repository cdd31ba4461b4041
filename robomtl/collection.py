"""Demonstrations from the simulators' experts, collected by several processes into one store."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, repeat
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from robomtl import envs
from robomtl.data import DemoKey, DemoStore, OtherFilesError
from robomtl.data.counted import counted
from robomtl.data.rlbench.folder import holds_episodes
from robomtl.distinct import check_distinct
from robomtl.environments import kept_environment, other_simulator
from robomtl.exceptions import ExperimentError
from robomtl.outputs import check_folder
from robomtl.parallel import check_workers, cores, parallel
from robomtl.progress import console, progress_bar
from robomtl.written import read_json, write_json

# Seeds from here on belong to checkpoint selection and evaluation, so demos must stay below.
FIRST_UNSEEN_SEED = 500_000


@dataclass(frozen=True)
class CollectConfig:
    """What to demonstrate, how often, and where to keep it."""

    out: Path
    """Folder of demonstrations; the same folder again continues, or adds to it."""
    tasks: tuple[str, ...] = envs.TASKS
    """Tasks to demonstrate; `robomtl tasks` explains them."""
    demos_per_task: int = 100
    """How many demonstrations of each task."""
    variation: int | Literal["all"] = 0
    """Variation of the task, or "all" to go through all of them in turn."""
    seed: int = 0
    """Seed of each task's first demonstration; the others count up from it."""
    simulator: envs.Simulator = "tabletop"
    """Where they take place; "rlbench" is the real one, which must be installed, "metaworld" has
    tasks such as reach-v3."""
    cameras: tuple[str, ...] = ()
    """Cameras whose images are kept; without any, the simulator's usual three. The tabletop keeps
    none: it can draw a demonstration later, from any camera."""
    image_size: int = 128
    """Width and height of these images in pixels."""
    workers: int = field(default_factory=cores)
    """Processes, each with its own simulator; the tabletop's demonstrations do not depend on
    their number."""


@dataclass(frozen=True)
class Collected:
    """What collecting one demonstration took."""

    key: DemoKey
    attempts: int
    frames: int
    seconds: float


def planned(config: CollectConfig) -> list[DemoKey]:
    """The demonstrations that a config asks for, by task and variation.

    Raises:
        UnknownNameError: There is no such task or variation.
        MissingSimulatorError: The simulator is not installed.
        ExperimentError: No task, or one twice, no demonstration, or seeds that are kept for
            evaluation.
    """
    if not config.tasks:
        raise ExperimentError(f"name at least one task; the tabletop's are {', '.join(envs.TASKS)}")
    check_distinct("tasks", config.tasks)
    if config.demos_per_task < 1:
        raise ExperimentError(f"demos per task must be at least 1, not {config.demos_per_task}")
    last = config.seed + config.demos_per_task - 1
    if config.seed < 0 or last >= FIRST_UNSEEN_SEED:
        raise ExperimentError(
            f"demonstrations would have seeds {config.seed} to {last}; they must be within 0 to "
            f"{FIRST_UNSEEN_SEED - 1}, because policies are tested on the seeds above"
        )
    keys = []
    for task in config.tasks:
        valid = range(envs.variation_count(task, config.simulator))
        if config.variation != "all" and config.variation not in valid:
            raise envs.UnknownNameError(f"variation of {task}", config.variation, ("all", *valid))
        variations = valid if config.variation == "all" else (config.variation,)
        seeds = range(config.seed, last + 1)
        keys += sorted(map(DemoKey, repeat(task), cycle(variations), seeds))
    return keys


def collect(config: CollectConfig) -> list[Collected]:
    """Collects what is not in the store yet, and prints a table of it.

    Returns:
        One entry per demonstration that was collected now.

    Raises:
        JobError: An expert failed; the message names task and seed. What was collected is kept.
        ExperimentError: The folder has demonstrations that were recorded in another way, or
            episodes that RLBench saved, or is a file; a task is another simulator's, or images have
            no pixel.
        OtherFilesError: The folder holds something else than demonstrations.
        RunFolderError: Its recording.json is damaged.
        UnknownNameError: The simulator has no such task, variation or camera.
    """
    check_folder(config.out)
    check_workers(config.workers)
    envs.environment_class(config.simulator).check_cameras(config.cameras)
    if config.image_size < 1:
        raise ExperimentError(f"the image size must be at least 1 pixel, not {config.image_size}")
    for task in config.tasks:
        if other := other_simulator(task, config.simulator):
            raise ExperimentError(
                f"{task} is a task of {other}, not of {config.simulator}: name other --tasks, or "
                f"give --simulator {other}"
            )
    keys = planned(config)
    _check_recording(config)
    present = set(DemoStore(config.out).keys())
    missing = [key for key in keys if key not in present]
    collected: list[Collected] = []
    failed = 0
    with progress_bar("demonstrations", len(keys), len(keys) - len(missing)) as advance:
        for one in parallel(partial(_collect_one, config), missing, config.workers):
            collected.append(one)
            failed += one.attempts - 1
            advance(note=counted(failed, "failed attempt"))
    console.print(_table(keys, collected))
    return collected


def _check_recording(config: CollectConfig) -> None:
    """Refuses to mix simulators, kinds of images, formats, or files of others in one folder.

    `recording.json` says what a folder holds; without it, that is demonstrations of the tabletop.
    """
    if config.out.is_dir() and holds_episodes(config.out):
        raise ExperimentError(
            f"{config.out} holds episodes in RLBench's saved format, which no others can join: "
            "choose another folder with --out"
        )
    file = config.out / "recording.json"
    stored = DemoStore(config.out).keys()
    if not stored and not file.is_file() and any(map(_is_foreign, config.out.rglob("*"))):
        raise OtherFilesError(config.out)
    tabletop: dict[str, Any] = {"simulator": "tabletop"}
    ours: dict[str, Any] = {"simulator": config.simulator}
    if _cameras(config):
        ours |= {"cameras": list(_cameras(config)), "image_size": config.image_size}
    theirs = tabletop if stored else ours
    if file.is_file():
        theirs = read_json(file)
    if theirs != ours:
        raise ExperimentError(
            f"{config.out} holds demonstrations of {_words(theirs)}, not of {_words(ours)}: choose "
            "another folder with --out"
        )
    if ours != tabletop:
        write_json(file, ours)


def _is_foreign(path: Path) -> bool:
    """Whether a collection that was killed before its first demonstration did not leave this."""
    return path.is_file() and not path.name.startswith(".")


def _words(recording: dict[str, Any]) -> str:
    simulator, *images = (f"{name} {value}" for name, value in recording.items())
    return " with ".join([simulator, ", ".join(images)] if images else [simulator])


def _cameras(config: CollectConfig) -> tuple[str, ...]:
    """Cameras whose images are kept: none where demonstrations can be drawn later."""
    if envs.environment_class(config.simulator).redraws:
        return ()
    return config.cameras or envs.usual_cameras(config.simulator)


def _collect_one(config: CollectConfig, key: DemoKey) -> Collected:
    start = time.perf_counter()
    images = _cameras(config), config.image_size
    env = kept_environment(key.task, key.variation, *images, config.simulator)
    demo = env.collect_demo(key.seed)
    DemoStore(config.out).add(demo)
    return Collected(key, demo.attempts, len(demo), time.perf_counter() - start)


def _table(keys: list[DemoKey], collected: list[Collected]) -> Table:
    by_task = defaultdict(list)
    for one in collected:
        by_task[one.key.task].append(one)
    table = Table("task", title="Demonstrations")
    for name in ("demos", "new", "attempts", "mean frames", "seconds"):
        table.add_column(name, justify="right")
    for task in dict.fromkeys(key.task for key in keys):
        new = by_task[task]
        table.add_row(
            task,
            str(sum(key.task == task for key in keys)),
            str(len(new)),
            str(sum(one.attempts for one in new)),
            f"{sum(one.frames for one in new) / len(new):.0f}" if new else "–",
            f"{sum(one.seconds for one in new):.1f}",
        )
    return table
