"""`robomtl rl train`: a training and the folder it goes to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from robomtl.progress import console
from robomtl.rl.card import card_table
from robomtl.rl.config import RLTrainConfig, default_folder
from robomtl.rl.tables import result_table, show
from robomtl.rl.training import train_rl


@dataclass(frozen=True)
class RLTrainCommandConfig:
    """What to learn, and where to keep it."""

    out: Annotated[
        Path | None,
        arg(
            metavar="PATH",
            help_behavior_hint="(default: runs/rl/PROTOCOL-METHOD-SEED, then -TASK for each task "
            "that is named)",
        ),
    ] = None
    """Folder of the run; the same folder again continues an interrupted training."""
    training: Annotated[RLTrainConfig, arg(name="")] = field(default_factory=RLTrainConfig)


def train_rl_command(config: RLTrainCommandConfig) -> dict[str, Any]:
    """Trains, or continues, prints the success rates and returns the result; see `train_rl`."""
    training = config.training
    console.print(card_table(training.card))
    result = train_rl(training, config.out or default_folder(training))
    show(result_table(result), result["card"])
    return result
