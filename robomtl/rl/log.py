"""What a run writes down while it learns: lines of JSON, and curves for TensorBoard."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from robomtl.lines import StepLines


class MetricLines(KVWriter):
    """Writes what a learner logs to lines of JSON.

    "<task>/<what>" becomes {what: {task: value}}, and "train/<what>" {"train": {what: value}}. What
    Stable-Baselines3 logs about all environments together is left out.

    Args:
        lines: Where to.
        tasks: Names of the tasks.
    """

    def __init__(self, lines: StepLines, tasks: tuple[str, ...]) -> None:
        self._lines = lines
        self._tasks = tasks

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Write one line."""
        line: dict[str, Any] = defaultdict(dict, step=step)
        for key, value in key_values.items():
            group, _, name = key.rpartition("/")
            number = float(value)
            kept = number if math.isfinite(number) else None  # JSON knows no infinity
            if group in self._tasks:
                line[name][group] = kept
            elif group == "train":
                line["train"][name] = kept
        line["steps_per_second"] = key_values.get("time/fps")
        self._lines.write(line)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


class Board(TensorBoardOutputFormat):
    """TensorBoard's files of a run that may be continued.

    Args:
        folder: Where to.
        step: Where the run starts or continues; later points of an interrupted run go.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=step + 1)
        self._is_closed = False


class EnvironmentSteps(Logger):
    """Stable-Baselines3's logger, for a learner whose steps are several of the environment.

    Args:
        folder: Where it says that it writes.
        outputs: Where to.
        repeat: Environment steps in one of the learner's.
    """

    def __init__(self, folder: str, outputs: list[KVWriter], repeat: int) -> None:
        super().__init__(folder, outputs)
        self._repeat = repeat

    def record(self, key: str, value: Any, exclude: Any = None) -> None:
        """Remember a value until the next `dump`."""
        if key in ("time/fps", "time/total_timesteps"):
            value = value * self._repeat
        super().record(key, value, exclude)

    def dump(self, step: int = 0) -> None:
        """Write what was recorded since the last time, at that step of the learner."""
        super().dump(step * self._repeat)


class RunLog:
    """Everything that a run writes down: metrics.jsonl, evaluations.jsonl and tensorboard/.

    Args:
        out: Folder of the run.
        step: Where it starts or continues.
        tasks: Names of the tasks.
        card: What the run is, for TensorBoard.
        repeat: Environment steps in one of the learner's, which are those of its actions.
    """

    def __init__(
        self, out: Path, step: int, tasks: tuple[str, ...], card: str, *, repeat: int = 1
    ) -> None:
        self._board = Board(out / "tensorboard", step)
        self._board.writer.add_text("protocol", card, step)
        self._evaluations = StepLines(out / "evaluations.jsonl", "step", step)
        lines = MetricLines(StepLines(out / "metrics.jsonl", "step", step), tasks)
        self.logger = EnvironmentSteps(str(out), [self._board, lines], repeat)

    def evaluated(self, line: Mapping[str, Any]) -> None:
        """Write the outcome of an evaluation, a line with "step", "mean" and "success" by task."""
        self._evaluations.write(line)
        self._board.writer.add_scalar("evaluation/mean", line["mean"], line["step"])
        for task, rate in line["success"].items():
            self._board.writer.add_scalar(f"evaluation/{task}", rate, line["step"])

    def close(self) -> None:
        """Close all files."""
        self.logger.close()
        self._evaluations.close()
