"""A perceptron for each task: nothing is shared."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robomtl.agents.sac.networks.network import Perceptron, Sizes, TaskNetwork


class Separate(TaskNetwork):
    """A perceptron for each task: single-task SAC ("STL"), all tasks in one run.

    Nothing is shared, so there is nothing for an aggregator to combine.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.each = nn.ModuleList(
            Perceptron(sizes.inputs, sizes, outputs=sizes.outputs) for _ in range(sizes.tasks)
        )

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        groups = rows.unflatten(0, (len(tasks), -1)).unbind()
        return torch.cat([self.each[t](group) for t, group in zip(tasks, groups, strict=True)])

    def own_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the task's perceptron."""
        return list(self.each[task].parameters())
