"""What a training run writes down about itself."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from types import TracebackType

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from robomtl.lines import StepLines
from robomtl.methods import Record


class Metrics:
    """Means over the steps since the last line, to metrics.jsonl and to TensorBoard.

    A line holds the iteration, iterations per second, the fraction of time spent waiting for
    data, each task's loss, weight and coefficient, and each term of the loss for each task. Where
    the method looks at task gradients, it holds their norms too, and medians of how much they
    are at odds: the condition number of their matrix and the lowest cosine between two of them.

    Args:
        out: Folder of the run.
        iteration: Where the run starts or continues; later lines of an interrupted run go.
    """

    def __init__(self, out: Path, iteration: int) -> None:
        self._lines = StepLines(out / "metrics.jsonl", "iteration", iteration)
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=iteration + 1)
        self._start()

    def __enter__(self) -> Metrics:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._board.close()

    def waited(self, seconds: float) -> None:
        """Add time spent waiting for data."""
        self._waited += seconds

    def add(self, record: Record, terms: dict[str, Tensor]) -> None:
        """Add one step: what the method did, and the terms (K,) of the loss."""
        self._steps += 1
        for task, loss in record.losses.items():
            self._sums["loss"][task] += loss
            self._sums["weight"][task] += record.weights[task]
            self._sums["coefficient"][task] += record.coefficients[task]
            if record.gradient_norms is not None:
                self._sums["gradient_norm"][task] += record.gradient_norms[task]
        if record.cosines is not None and record.condition_number is not None:
            self._conflicts["condition_number"].append(record.condition_number)
            self._conflicts["lowest_cosine"].append(float(record.cosines.min()))
        for name, values in terms.items():
            for task, value in zip(record.losses, values.tolist(), strict=True):
                self._sums[name][task] += value

    def write(self, iteration: int) -> None:
        """Write a line with the means since the last one."""
        elapsed = time.perf_counter() - self._started
        line: dict[str, object] = {
            "iteration": iteration,
            "iterations_per_second": self._steps / elapsed,
            "data_wait": self._waited / elapsed,
        }
        for name, sums in self._sums.items():
            means = {task: total / self._steps for task, total in sums.items()}
            line[name] = means
            self._board.add_scalar(f"{name}/mean", sum(means.values()) / len(means), iteration)
            for task, mean in means.items():
                self._board.add_scalar(f"{name}/{task}", mean, iteration)
        for name, values in self._conflicts.items():
            middle = median(values)
            line[name] = middle if math.isfinite(middle) else None  # JSON knows no infinity
            self._board.add_scalar(f"gradients/{name}", middle, iteration)
        self._lines.write(line)
        self._start()

    def _start(self) -> None:
        self._sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._conflicts: dict[str, list[float]] = defaultdict(list)
        self._steps = 0
        self._waited = 0.0
        self._started = time.perf_counter()
