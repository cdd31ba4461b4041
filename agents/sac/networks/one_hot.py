"""One perceptron that is told the task by a one-hot vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from robomtl.agents.sac.networks.network import Sizes, TaskNetwork, perceptron


class OneHot(TaskNetwork):
    """A perceptron over the inputs and the one-hot task, as Meta-World+ trains its baselines.

    The first layer's weights of a task's column count as shared like all others, since they are
    columns of one matrix; only their own task ever changes them, though.
    """

    unit: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.layers = perceptron(sizes.inputs + sizes.tasks, sizes)
        self.register_buffer("unit", torch.eye(sizes.tasks), persistent=False)

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        task = self.unit[list(tasks)].repeat_interleave(len(rows) // len(tasks), 0)
        return self.layers(torch.cat((rows, task), 1))
