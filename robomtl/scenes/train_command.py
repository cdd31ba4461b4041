"""`robomtl scenes train`: a training on scenes and the folder it goes to."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from rich.table import Table
from tyro.conf import arg

from robomtl.agents.dense import METRICS
from robomtl.agents.dense.metrics import Values
from robomtl.devices import resolve_device
from robomtl.progress import console
from robomtl.scenes.training import SceneTrainConfig, train_scenes


@dataclass(frozen=True)
class SceneTrainCommandConfig:
    """What to train on scenes, and where to keep it."""

    out: Path
    """Folder of the run; the same folder again continues an interrupted training."""
    training: Annotated[SceneTrainConfig, arg(name="")]


def train_scenes_command(config: SceneTrainCommandConfig) -> Values:
    """Trains, or continues, and prints and returns the metrics on the test images.

    Raises:
        ExperimentError: This machine does not have the device, or what `check_training` refuses.
        DataError: The scenes cannot be read.
        CheckpointError: The folder's checkpoint is damaged or of a run with other settings.
    """
    training = replace(config.training, device=resolve_device(config.training.device))
    values = train_scenes(training, config.out)["test"]
    table = Table("task", "metric", title="Test images")
    table.add_column("value", justify="right")
    for task, metrics in values.items():
        for name, value in metrics.items():
            better = "higher" if METRICS[task][name] > 0 else "lower"
            table.add_row(task, f"{name} ({better} is better)", f"{value:.4f}")
    console.print(table)
    return values
