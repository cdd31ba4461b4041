"""CARE: encoders that a task's context attends to (Sodhani et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robomtl.agents.sac.networks.network import (
    Layer,
    Perceptron,
    Sizes,
    TaskEncodings,
    TaskNetwork,
)

_ENCODERS, _CODE = 6, 50


class Care(TaskNetwork):
    """A mixture of six encoders of the inputs, weighed by what is known of the task.

    Sodhani et al., Multi-Task Reinforcement Learning with Context-based Representations, section
    4: with a context z of the task, attention a = softmax(MLP(z)) over k encoders gives
    sum_j a_j encoder_j(s), and the rest of the network sees this and z.

    The paper makes z of sentences that describe the tasks, through a frozen language model. Here
    the description of a task is a vector that is learned, which is that task's own parameter and
    needs no sentences: results are comparable to the paper's only with that in mind. Codes and
    contexts have 50 numbers. Also our choice: actor and critics have encoders of their own, where
    the paper trains one set by the critics' loss.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        norm = sizes.layer_norm
        self.descriptions = TaskEncodings(sizes.tasks, _CODE)
        self.context = nn.Sequential(Layer(_CODE, _CODE, layer_norm=norm), nn.Linear(_CODE, _CODE))
        self.attention = nn.Sequential(
            Layer(_CODE, _CODE, layer_norm=norm), nn.Linear(_CODE, _ENCODERS)
        )
        self.first = Layer(sizes.inputs, _ENCODERS * _CODE, layer_norm=norm)
        self.second = nn.ModuleList(nn.Linear(_CODE, _CODE) for _ in range(_ENCODERS))
        self.layers = Perceptron(2 * _CODE, sizes, outputs=sizes.outputs)

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        context = self.context(self.descriptions(len(rows), tasks))
        shares = self.attention(context).softmax(1)
        halfway = self.first(rows).split(_CODE, 1)
        codes = torch.stack([f(x) for f, x in zip(self.second, halfway, strict=True)], 1)
        mixed = torch.bmm(shares[:, None], codes)[:, 0]
        return self.layers(torch.cat((mixed, context), 1))

    def own_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the task's description."""
        return [self.descriptions.vectors[task]]
