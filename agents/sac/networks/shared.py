"""One perceptron for all tasks, which does not know the task."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from robomtl.agents.sac.networks.network import Perceptron, Sizes, TaskNetwork


class Shared(TaskNetwork):
    """One perceptron that is not told the task: "MTL SAC" of the MT10 tables.

    CARE, CAGrad and Nash-MTL run it, and gradient methods on top of it, without a task encoding:
    the goal and the objects in the state are all that tells tasks apart. With a single task it is
    the network of ordinary SAC.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.layers = Perceptron(sizes.inputs, sizes, outputs=sizes.outputs)

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        return self.layers(rows)
