"""One perceptron that is told the task by a learned vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robomtl.agents.sac.networks.network import Perceptron, Sizes, TaskEncodings, TaskNetwork

_ENCODING = 50


class Encoded(TaskNetwork):
    """A perceptron over the inputs and a learned task encoding of 50: "MTL SAC + TE".

    MTRL passes its encoding through further layers; here it is used as it is, which is our choice.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encodings = TaskEncodings(sizes.tasks, _ENCODING)
        self.layers = Perceptron(sizes.inputs + _ENCODING, sizes, outputs=sizes.outputs)

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        return self.layers(torch.cat((rows, self.encodings(len(rows), tasks)), 1))

    def own_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the task's encoding."""
        return [self.encodings.vectors[task]]
