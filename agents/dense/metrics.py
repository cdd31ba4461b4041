"""How good predicted maps are over a whole set of images, and how much better than others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from robomtl.agents.dense.batch import DenseBatch

#: Each task's metrics, with 1 where more is better and -1 where less is. The first is the one that
#: Auto-lambda reports; all of them are SAAL's.
METRICS: dict[str, dict[str, int]] = {
    "segmentation": {"mean_iou": 1, "pixel_accuracy": 1},
    "depth": {"absolute_error": -1, "relative_error": -1},
    "normals": {
        "mean_angle": -1,
        "median_angle": -1,
        "within_11.25": 1,
        "within_22.5": 1,
        "within_30": 1,
    },
    "noise": {"absolute_error": -1},
}

#: Task to metric to value.
Values = dict[str, dict[str, float]]


class DenseMetrics:
    """Metrics over all pixels of all images that were added, however they were batched.

    Args:
        tasks: Which of the tasks are predicted.
        classes: Number of classes of the segmentation.
    """

    def __init__(self, tasks: Iterable[str], classes: int) -> None:
        self.tasks = tuple(tasks)
        self._confusion = torch.zeros(classes, classes, dtype=torch.int64)
        self._depth = torch.zeros(3, dtype=torch.float64)  # absolute, relative, pixels
        self._noise = torch.zeros(2, dtype=torch.float64)  # absolute, pixels
        self._angles: list[Tensor] = []

    @torch.no_grad()
    def add(self, predictions: Mapping[str, Tensor], batch: DenseBatch) -> None:
        """Add the predicted map of each task and what it should be.

        Everything is counted on the CPU: not all devices know float64.
        """
        batch = batch.to("cpu")
        for task in self.tasks:
            getattr(self, f"_add_{task}")(predictions[task].cpu(), batch)

    def values(self) -> Values:
        """Return each task's metrics.

        segmentation: `mean_iou`, the intersection over union from the confusion matrix of the
        whole set, averaged over the classes that occur in labels or predictions; and
        `pixel_accuracy`. depth: `absolute_error` in [m] and `relative_error` to the true depth.
        normals: `mean_angle` and `median_angle` in [deg], and the fractions of pixels `within_`
        11.25, 22.5 and 30 deg. noise: `absolute_error`. Pixels without a label do not count; what
        has no labelled pixel at all is NaN.
        """
        return {task: getattr(self, f"_{task}_values")() for task in self.tasks}

    def _add_segmentation(self, logits: Tensor, batch: DenseBatch) -> None:
        classes = len(self._confusion)
        known = batch.segmentation >= 0
        pairs = batch.segmentation[known] * classes + logits.argmax(1)[known]
        counts = pairs.bincount(minlength=classes**2).reshape(classes, classes)
        self._confusion += counts

    def _segmentation_values(self) -> dict[str, float]:
        right = self._confusion.diagonal().double()
        union = self._confusion.sum(0) + self._confusion.sum(1) - right
        return {
            "mean_iou": float((right / union)[union > 0].mean()),
            "pixel_accuracy": float(right.sum() / self._confusion.sum()),
        }

    def _add_depth(self, depth: Tensor, batch: DenseBatch) -> None:
        known = batch.depth > 0
        true = batch.depth[known].double()
        error = (depth[known].double() - true).abs()
        count = torch.tensor(float(len(error)), dtype=torch.float64)
        self._depth += torch.stack([error.sum(), (error / true).sum(), count])

    def _depth_values(self) -> dict[str, float]:
        absolute, relative, pixels = self._depth
        return {
            "absolute_error": float(absolute / pixels),
            "relative_error": float(relative / pixels),
        }

    def _add_normals(self, normals: Tensor, batch: DenseBatch) -> None:
        known = batch.normals.square().sum(1) > 0
        first = normals.movedim(1, -1)[known].double()
        second = batch.normals.movedim(1, -1)[known].double()
        # Exact for small angles too, where the arc cosine is not.
        sine = torch.linalg.cross(first, second).norm(dim=-1)
        self._angles.append(torch.atan2(sine, (first * second).sum(-1)).rad2deg())

    def _normals_values(self) -> dict[str, float]:
        angles = torch.cat([*self._angles, torch.empty(0, dtype=torch.float64)])
        return {
            "mean_angle": float(angles.mean()),
            "median_angle": float(np.median(angles)) if len(angles) else math.nan,
            **{
                f"within_{limit:g}": float((angles < limit).double().mean())
                for limit in (11.25, 22.5, 30.0)
            },
        }

    def _add_noise(self, noise: Tensor, batch: DenseBatch) -> None:
        error = (noise.double() - batch.noise).abs()
        count = torch.tensor(float(error.numel()), dtype=torch.float64)
        self._noise += torch.stack([error.sum(), count])

    def _noise_values(self) -> dict[str, float]:
        return {"absolute_error": float(self._noise[0] / self._noise[1])}


def relative_improvement(
    task: str,
    values: Mapping[str, float],
    baseline: Mapping[str, float],
    which: Literal["all", "first"] = "all",
) -> float:
    """Return how much better a task's metrics are than its baseline's, as a fraction.

    SAAL, Eq. 12: (1 / m) sum_i (-1)^(l_i) (M_i - S_i) / S_i over the task's m metrics, with l_i = 1
    where less is better. Auto-lambda, Eq. 8, takes the first metric only.

    Args:
        task: Which task.
        values: M, metric to value.
        baseline: S, the same of the task learned alone.
        which: All metrics, or the first.

    Returns:
        The improvement; NaN where a baseline is 0, so that nothing can be said relative to it.
    """
    signs = METRICS[task]
    names = list(signs)[: 1 if which == "first" else None]
    terms = [
        signs[name] * (values[name] - baseline[name]) / baseline[name]
        if baseline[name]
        else math.nan
        for name in names
    ]
    return sum(terms) / len(terms)


def delta_mtl(
    values: Mapping[str, Mapping[str, float]],
    baselines: Mapping[str, Mapping[str, float]],
    tasks: Sequence[str],
    which: Literal["all", "first"] = "all",
) -> float:
    """Return the mean over `tasks` of `relative_improvement`: Delta_MTL, as a fraction.

    Noise is usually left out of `tasks`: nobody wants to be good at it.
    """
    improvements = [
        relative_improvement(task, values[task], baselines[task], which) for task in tasks
    ]
    return sum(improvements) / len(improvements)
