"""How far a predicted map is from the labels: one loss per task."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from robomtl.agents.dense.batch import DenseBatch


def segmentation_loss(logits: Tensor, batch: DenseBatch) -> Tensor:
    """Return the mean cross-entropy in [nat] of the pixels whose class is known."""
    known = (batch.segmentation >= 0).sum().clamp(min=1)
    total = F.cross_entropy(logits, batch.segmentation, ignore_index=-1, reduction="sum")
    return total / known


def depth_loss(depth: Tensor, batch: DenseBatch) -> Tensor:
    """Return the mean absolute error in [m] of the pixels whose depth is known."""
    return _mean_where((depth - batch.depth).abs(), batch.depth > 0)


def normals_loss(normals: Tensor, batch: DenseBatch) -> Tensor:
    """Return the mean of 1 - cos(angle) over the pixels whose normal is known.

    The cosine is that of MTAN (Liu et al. 2019), whose experiments Auto-lambda repeats. Auto-lambda
    itself uses L1 between the vectors, which depends on how the camera's axes are chosen.
    """
    cosine = (normals * batch.normals).sum(1)
    return _mean_where(1 - cosine, batch.normals.square().sum(1) > 0)


def noise_loss(noise: Tensor, batch: DenseBatch) -> Tensor:
    """Return the mean absolute error of the noise."""
    return F.l1_loss(noise, batch.noise)


#: Each task's loss: its predicted map and the batch to a scalar.
LOSSES = {
    "segmentation": segmentation_loss,
    "depth": depth_loss,
    "normals": normals_loss,
    "noise": noise_loss,
}


def _mean_where(error: Tensor, known: Tensor) -> Tensor:
    """Return the mean of the errors of known pixels, and 0 where none is known."""
    return (error * known).sum() / known.sum().clamp(min=1)
