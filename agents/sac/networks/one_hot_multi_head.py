"""Hidden layers that are told the task by a one-hot vector, and an output layer for each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from robomtl.agents.sac.networks.multi_head import MultiHead
from robomtl.agents.sac.networks.network import Sizes, with_one_hot


class OneHotMultiHead(MultiHead):
    """Both ways of telling the task: `OneHot`'s, and the heads of `MultiHead`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(replace(sizes, inputs=sizes.inputs + sizes.tasks))
        self.tasks = sizes.tasks

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        return super().forward(with_one_hot(rows, tasks, self.tasks), tasks)
