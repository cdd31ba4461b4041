"""The whole job in one folder: demonstrations, keyframes, a policy, its success rates, a report."""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from robomtl import envs
from robomtl.collection import CollectConfig, collect
from robomtl.collection import planned as planned_demos
from robomtl.data import DataError, DemoKey, IncompleteDatasetWarning, KeyframeDataset
from robomtl.data.counted import counted
from robomtl.data.keyframes import check_every
from robomtl.devices import Device, resolve_device
from robomtl.evaluation import EvaluateConfig, evaluate, success_table
from robomtl.evaluation import planned as planned_episodes
from robomtl.exceptions import ExperimentError
from robomtl.keyframing import KeyframesConfig, keyframes
from robomtl.parallel import cores
from robomtl.progress import console
from robomtl.report import ReportConfig, report
from robomtl.train_command import TrainCommandConfig, train_command
from robomtl.training import TrainConfig, check_training


@dataclass(frozen=True)
class QuickstartConfig:
    """How big the whole job is. It also says what each stage alone does by default."""

    out: Path = Path("runs/quickstart")
    """Folder of everything; run again with the same folder to continue."""
    tasks: tuple[str, ...] = envs.TASKS
    """Tasks that one policy learns; `robomtl tasks` explains them."""
    demos_per_task: int = 100
    """Demonstrations of each task."""
    image_size: int = 128
    """Width and height of the policy's images in pixels."""
    every: int | None = 5
    """Also learn from every n-th frame in the first half of the way to each keyframe."""
    iterations: int = 8000
    """Training steps."""
    batch_size: int = 32
    """Samples of a training step."""
    episodes: int = 100
    """Evaluation episodes of each task."""
    seed: int = 0
    """Of the training and of the evaluation episodes; demonstrations always start at seed 0."""
    device: Device = "auto"
    """Where the policy learns."""
    look: Literal["pretty", "fast"] = "pretty"
    """Look of the report's pictures; "fast" takes a tenth of the time."""
    workers: int = field(default_factory=cores)
    """Processes of every stage but training."""

    @property
    def run(self) -> Path:
        """Folder of the training run."""
        return self.out / "run"

    def collect(self) -> CollectConfig:
        """What the first stage does."""
        return CollectConfig(
            out=self.out / "demos",
            tasks=self.tasks,
            demos_per_task=self.demos_per_task,
            workers=self.workers,
        )

    def keyframes(self) -> KeyframesConfig:
        """What the second stage does."""
        return KeyframesConfig(
            demos=self.out / "demos",
            out=self.out / "keyframes.zarr",
            image_size=self.image_size,
            every=self.every,
            workers=self.workers,
        )

    def train(self) -> TrainCommandConfig:
        """What the third stage does."""
        training = TrainConfig(
            data=self.out / "keyframes.zarr",
            iterations=self.iterations,
            batch_size=self.batch_size,
            seed=self.seed,
            device=self.device,
        )
        return TrainCommandConfig(out=self.run, training=training)

    def evaluate(self) -> EvaluateConfig:
        """What the fourth stage does."""
        return EvaluateConfig(
            run=self.run, episodes=self.episodes, seed=self.seed, workers=self.workers
        )

    def report(self) -> ReportConfig:
        """What the last stage does."""
        return ReportConfig(run=self.run, look=self.look, workers=self.workers)


def quickstart(config: QuickstartConfig) -> None:
    """Runs the five stages; each continues where it was when this was interrupted.

    It learns from the demonstrations that are asked for, also where the folder has others.

    Raises:
        ExperimentError: A number, task or device makes no sense, or the folder has a dataset of
            other demonstrations; nothing has been done then.
        UnknownNameError: There is no such task; nothing has been done then.
        DataError: `every` is below 1; nothing has been done then.
        AgentError: The policy cannot have images of that size, or a batch does not have a sample of
            each task; nothing has been done then.
    """
    demos = _check(config)
    with _timed("Everything"):
        with _timed("1/5 Collect demonstrations"):
            collect(config.collect())
        with _timed("2/5 Render their keyframes"):
            keyframes(config.keyframes(), demos)
        with _timed("3/5 Train a policy"):
            train_command(config.train())
        with _timed("4/5 Evaluate it"):
            summary = evaluate(config.evaluate())
        with _timed("5/5 Write the report"):
            page = report(config.report())
        console.rule("Done", align="left")
        console.print(success_table(summary))
        console.print(f"Report: {page}", soft_wrap=True)


def _check(config: QuickstartConfig) -> list[DemoKey]:
    """Refuses at once what a later stage would; returns the demonstrations to learn from."""
    demos = planned_demos(config.collect())
    training = config.train().training
    if config.every is not None:
        check_every(config.every)
    check_training(training, config.tasks, config.image_size)
    resolve_device(config.device)
    planned_episodes(config.evaluate(), config.tasks)
    _check_dataset(training.data, demos)
    return demos


def _check_dataset(path: Path, demos: Sequence[DemoKey]) -> None:
    """Refuses a dataset that would not become one of these demonstrations alone.

    One that is complete may have been learned from already, so nothing may be added to it.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=IncompleteDatasetWarning):
            dataset = KeyframeDataset(path)
    except DataError:  # none yet, or the second stage says what is wrong with it
        return
    there, asked = set(dataset.keys), set(demos)
    if not (there == asked if dataset.complete else there <= asked):
        raise ExperimentError(
            f"{path} was made of {counted(len(there), 'demonstration')}, not the {len(asked)} that "
            "are asked for: ask for the same again, or choose another folder with --out"
        )


@contextmanager
def _timed(heading: str) -> Iterator[None]:
    console.rule(heading, align="left")
    start = time.perf_counter()
    yield
    minutes, seconds = divmod(round(time.perf_counter() - start), 60)
    console.print(f"[dim]{heading}: {minutes} min {seconds} s[/]")
