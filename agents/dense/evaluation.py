"""Metrics of a network on a split of a benchmark."""

from __future__ import annotations

import torch

from robomtl.agents.dense.metrics import DenseMetrics, Values
from robomtl.agents.dense.network import DenseNetwork
from robomtl.agents.dense.sampling import dense_batch
from robomtl.data.scenes import Scenes

_BATCH = 50


@torch.inference_mode()
def evaluate_dense(network: DenseNetwork, scenes: Scenes, split: str) -> Values:
    """Return the metrics of a network's tasks on all images of a split, in full precision.

    Heads of self-auxiliaries are not run: they are not part of the final network.
    """
    network = network.without_auxiliaries().eval()
    device = next(network.parameters()).device
    metrics = DenseMetrics(network.heads, network.classes)
    images = len(scenes.splits[split])
    for start in range(0, images, _BATCH):
        rows = range(start, min(start + _BATCH, images))
        batch = dense_batch(scenes, split, rows).to(device)
        metrics.add(network(batch.image), batch)
    return metrics.values()
