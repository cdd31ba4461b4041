"""Hidden layers that are told the task by a one-hot vector, and an output layer for each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from robomtl.agents.sac.networks.multi_head import MultiHead
from robomtl.agents.sac.networks.network import Sizes


class OneHotMultiHead(MultiHead):
    """Both ways of telling the task: `OneHot`'s, and the heads of `MultiHead`."""

    unit: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(replace(sizes, inputs=sizes.inputs + sizes.tasks))
        self.register_buffer("unit", torch.eye(sizes.tasks), persistent=False)

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        task = self.unit[list(tasks)].repeat_interleave(len(rows) // len(tasks), 0)
        return super().forward(torch.cat((rows, task), 1), tasks)
