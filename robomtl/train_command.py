"""`robomtl train`: a training and the folder it goes to."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from robomtl.data import open_demos
from robomtl.devices import resolve_device
from robomtl.keyframing import KeyframesConfig, keyframes
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
    cameras: tuple[str, ...] = KeyframesConfig.cameras
    """Cameras of the policy, with --demos."""
    image_size: int = KeyframesConfig.image_size
    """Width and height of the policy's images in pixels, with --demos."""
    every: int | None = 5
    """With --demos, also learn from every n-th frame in the first half of the way to each
    keyframe."""
    workers: int = field(default_factory=cores)
    """Processes that gather the images of --demos."""

    def keyframes(self, demos: Path) -> KeyframesConfig:
        """How demonstrations become the dataset of this run."""
        return KeyframesConfig(
            demos=demos,
            out=self.out / "keyframes.zarr",
            cameras=self.cameras,
            image_size=self.image_size,
            tasks=self.training.tasks,
            every=self.every,
            workers=self.workers,
        )


def train_command(config: TrainCommandConfig) -> Path:
    """Trains, or continues, and returns the path of the policy.

    Raises:
        ExperimentError: This machine does not have the device, `demos` lacks a task, or a number
            makes no sense.
        JobError: A demonstration has no such images, or cannot be read.
        DataError: `demos` is no folder of demonstrations.
        CheckpointError: The folder's checkpoint is damaged or of a run with other settings.
        AgentError: As for `robomtl.training.check_training`.
        MethodError: There is no such method, or it lacks tasks or weights that it needs.
        NonFiniteLossError: A loss is NaN or infinite.
    """
    training = replace(config.training, device=resolve_device(config.training.device))
    if config.demos is not None:
        check_training(training, training.tasks or _tasks(config.demos), config.image_size)
        training = replace(training, data=keyframes(config.keyframes(config.demos)).path)
    policy = train(training, config.out)
    console.print(f"Policy: {policy}", soft_wrap=True)  # a path that can be copied
    return policy


def _tasks(demos: Path) -> list[str]:
    keys = open_demos(demos).keys()
    return sorted({key.task for key in keys})
