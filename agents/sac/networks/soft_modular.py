"""Soft modularization: modules whose connections depend on state and task (Yang et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robomtl.agents.sac.networks.network import Layer, Sizes, TaskEncodings, TaskNetwork

_MODULES = 4


class SoftModular(TaskNetwork):
    """Layers of n modules; a routing network says how much each hears of those below.

    Yang et al., Multi-Task Reinforcement Learning with Soft Modularization, section 4. With the
    state embedding f(s) and the task embedding h(z), module i of layer l + 1 gets

        sum_j softmax_j(p_ij) ReLU(W_j g_j),   p^1 = W_d ReLU(e),   e = f(s) h(z)
        p^(l+1) = W_d ReLU(W_u p^l * e)

    and the last layer is summed with n weights made likewise. h(z) is linear in the one-hot task,
    so it is a vector for each task, that task's own. Our choices: n = 4, as the paper's deep
    network has, modules of width / 4 units, so that a layer is as wide as those of the other
    networks, and as many module layers as these have hidden ones.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        each = max(sizes.width // _MODULES, 1)
        self.state = Layer(sizes.inputs, sizes.width, layer_norm=sizes.layer_norm)
        self.embed = nn.Linear(sizes.width, sizes.width)
        self.encodings = TaskEncodings(sizes.tasks, sizes.width)
        self.layers = nn.ModuleList(
            nn.ModuleList(Layer(below, each, layer_norm=sizes.layer_norm) for _ in range(_MODULES))
            for below in [sizes.width, *[each] * (sizes.depth - 1)]
        )
        # How much each module hears of those below, and last the output of the last ones.
        routes = [*[_MODULES**2] * (sizes.depth - 1), _MODULES]
        self.routes = nn.ModuleList(nn.Linear(sizes.width, count) for count in routes)
        self.memories = nn.ModuleList(nn.Linear(count, sizes.width) for count in routes[:-1])
        self.output = nn.Linear(each, sizes.outputs)

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        embedded = self.embed(self.state(rows))
        context = embedded * self.encodings(len(rows), tasks)
        inputs = [F.relu(embedded)] * _MODULES
        routing = F.relu(context)
        for depth, route in enumerate(self.routes):
            modules: Any = self.layers[depth]
            heard = torch.stack([m(x) for m, x in zip(modules, inputs, strict=True)], 1)
            logits = route(routing)
            shares = logits.unflatten(1, (-1, _MODULES)).softmax(2)
            mixed = torch.bmm(shares, heard)
            if depth < len(self.memories):
                routing = F.relu(self.memories[depth](logits) * context)
                inputs = list(mixed.unbind(1))
        return self.output(mixed[:, 0])

    def own_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the task's embedding."""
        return [self.encodings.vectors[task]]
