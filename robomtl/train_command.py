"""`robomtl train`: a training and the folder it goes to."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from robomtl.devices import resolve_device
from robomtl.progress import console
from robomtl.training import TrainConfig, train


@dataclass(frozen=True)
class TrainCommandConfig:
    """What to train, and where to keep it."""

    out: Path
    """Folder of the run; the same folder again continues an interrupted training."""
    training: Annotated[TrainConfig, arg(name="")]


def train_command(config: TrainCommandConfig) -> Path:
    """Trains, or continues, and returns the path of the policy.

    Raises:
        ExperimentError: This machine does not have the device.
        CheckpointError: The folder's checkpoint is damaged or of a run with other settings.
        NonFiniteLossError: A loss is NaN or infinite.
    """
    training = replace(config.training, device=resolve_device(config.training.device))
    policy = train(training, config.out)
    console.print(f"Policy: {policy}")
    return policy
