"""Shared hidden layers, and an output layer for each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robomtl.agents.sac.networks.network import Perceptron, Sizes, TaskNetwork


class MultiHead(TaskNetwork):
    """Shared hidden layers, and an output layer of its own for each task: "MH SAC".

    The task chooses the head, and the shared layers are not told it.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.trunk = Perceptron(sizes.inputs, sizes, outputs=None)
        self.heads = nn.ModuleList(
            nn.Linear(sizes.width, sizes.outputs) for _ in range(sizes.tasks)
        )

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        heads: Any = [self.heads[task] for task in tasks]
        weights = torch.stack([head.weight for head in heads])
        biases = torch.stack([head.bias for head in heads])[:, :, None]
        groups = self.trunk(rows).unflatten(0, (len(tasks), -1))
        # Heads times rows, not rows times heads: gradients then lie in memory as heads do.
        return torch.baddbmm(biases, weights, groups.mT).mT.flatten(0, 1)

    def own_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the task's head."""
        return list(self.heads[task].parameters())
