"""Dynamic weight average: tasks that improve slowly count more (Liu et al. 2019)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from robomtl.methods.step import Step
from robomtl.methods.weightings.exceptions import require_positive
from robomtl.methods.weightings.weighting import Weighting


class DynamicWeightAverage(Weighting):
    """Weights from how fast each task's loss falls.

    lambda = K softmax(r / T), where r_i is the mean loss of task i in the last epoch over that in
    the one before ("End-to-End Multi-Task Learning with Attention", Eq. 7). All weights are 1 in
    the first two epochs.

    An epoch is not known here. In its place stands a window of steps, our choice. Losses of a
    window count from the first step after it.

    Args:
        count: K, the number of tasks.
        window: Steps over which losses are averaged. The default, ours, is long enough to average
            over mini-batches and short enough for training of a few thousand steps.
        temperature: T; the paper's 2. The higher, the more alike are the weights.
    """

    def __init__(self, count: int, *, window: int = 100, temperature: float = 2.0) -> None:
        self.window = window
        self.temperature = temperature
        self._weights = torch.ones(count, dtype=torch.float64)
        self._before: Tensor | None = None
        self._sum = torch.zeros(count, dtype=torch.float64)
        self._seen = 0

    def weights(self, step: Step) -> Tensor:
        """Return lambda, (K,) float64, then add the losses to the present window.

        Raises:
            NonPositiveLossError: A loss is not positive, so that its ratios say nothing.
        """
        require_positive("DWA", step.objective.tasks, step.losses)
        current = self._weights
        self._sum = self._sum + step.losses
        self._seen += 1
        if self._seen == self.window:
            self._close_window()
        return current

    def _close_window(self) -> None:
        mean = self._sum / self.window
        if self._before is not None:
            ratios = mean / self._before
            self._weights = len(mean) * (ratios / self.temperature).softmax(0)
        self._before = mean
        self._sum = torch.zeros_like(mean)
        self._seen = 0

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {
            "weights": self._weights,
            "before": self._before,
            "sum": self._sum,
            "seen": self._seen,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._weights = state["weights"]
        self._before = state["before"]
        self._sum = state["sum"]
        self._seen = state["seen"]
