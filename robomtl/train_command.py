"""`robomtl train`: a training and the folder it goes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from warnings import catch_warnings

from tyro.conf import arg

from robomtl.data import (
    IncompleteDatasetWarning,
    KeyframeDataset,
    OtherFilesError,
    open_demos,
)
from robomtl.devices import resolve_device
from robomtl.exceptions import ExperimentError
from robomtl.keyframing import KeyframesConfig, keyframes
from robomtl.outputs import check_folder
from robomtl.parallel import cores
from robomtl.progress import console
from robomtl.training import SOURCE, TrainConfig, check_training, train


@dataclass(frozen=True)
class TrainCommandConfig:
    """What to train, and where to keep it."""

    out: Path
    """Folder of the run; the same folder again continues an interrupted training."""
    training: Annotated[TrainConfig, arg(name="")]
    demos: Annotated[Path | None, SOURCE] = None
    """Folder of demonstrations to learn from, made into OUT/keyframes.zarr first: what `robomtl
    collect` makes, or episodes that RLBench saved."""
    cameras: tuple[str, ...] | None = None
    """Cameras of the policy: with --demos left_shoulder, right_shoulder and wrist, with --data the
    dataset's, unless given."""
    image_size: int | None = None
    """Width and height of the policy's images in pixels: with --demos 128, with --data the
    dataset's, unless given."""
    every: int | Literal["usual"] | None = "usual"
    """Also learn from every n-th frame in the first half of the way to each keyframe: "usual" is 5
    with --demos, and with --data what the dataset has."""
    workers: int = field(default_factory=cores)
    """Processes that gather the images of --demos."""

    @property
    def given(self) -> dict[str, Any]:
        """What was said about the images to learn from, by option."""
        asked = {"cameras": self.cameras, "image_size": self.image_size, "every": self.every}
        unsaid = {"cameras": None, "image_size": None, "every": "usual"}
        return {name: value for name, value in asked.items() if value != unsaid[name]}

    def keyframes(self, demos: Path) -> KeyframesConfig:
        """How demonstrations become the dataset of this run."""
        usual = KeyframesConfig(
            demos=demos,
            out=self.out / "keyframes.zarr",
            tasks=self.training.tasks,
            every=5,
            workers=self.workers,
        )
        return replace(usual, **self.given)


def train_command(config: TrainCommandConfig) -> Path:
    """Trains, or continues, and returns the path of the policy.

    Raises:
        ExperimentError: This machine does not have the device, `demos` lacks a task, a number makes
            no sense, the dataset has other images than was said, or `out` is a file.
        JobError: A demonstration has no such images, or cannot be read.
        DataError: `demos` is no folder of demonstrations, or `out` holds other files than a run's.
        CheckpointError: The folder's checkpoint is damaged or of a run with other settings.
        AgentError: As for `robomtl.training.check_training`.
        MethodError: There is no such method, or it lacks tasks or weights that it needs.
        NonFiniteLossError: A loss is NaN or infinite.
    """
    check_folder(config.out)
    _check_own(config.out)
    training = replace(config.training, device=resolve_device(config.training.device))
    if config.demos is not None:
        made = config.keyframes(config.demos)
        check_training(training, training.tasks or _tasks(config.demos), made.image_size)
        training = replace(training, data=keyframes(made).path)
    elif config.given:
        _check_given(config.given, training.data)
    policy = train(training, config.out)
    console.print(f"Policy: {policy}", soft_wrap=True)  # a path that can be copied
    return policy


def _check_own(out: Path) -> None:
    """Refuses a folder that is neither a run's nor what a run leaves that is killed early on."""
    begun = any((out / name).exists() for name in ("metrics.jsonl", "checkpoints/last.pt"))
    if not begun and out.is_dir():
        names = {path.name for path in out.iterdir() if not path.name.startswith(".")}
        if names - {"config.json", "keyframes.zarr"}:
            raise OtherFilesError(out)


def _check_given(given: Mapping[str, Any], data: Path) -> None:
    """Refuses what was said about images, where a dataset has others already."""
    with catch_warnings(action="ignore", category=IncompleteDatasetWarning):  # `train` warns
        dataset = KeyframeDataset(data)
    there = {"cameras": dataset.cameras, "image_size": dataset.image_size, **dataset.recipe}
    different = [
        f"{name} {there.get(name)}, not {value}"
        for name, value in given.items()
        if value != there.get(name)
    ]
    if different:
        raise ExperimentError(
            f"{data} was made with {'; '.join(different)}: leave that out, or make another dataset "
            "with `robomtl keyframes`"
        )


def _tasks(demos: Path) -> list[str]:
    keys = open_demos(demos).keys()
    return sorted({key.task for key in keys})
