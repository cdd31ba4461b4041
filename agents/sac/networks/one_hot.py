"""One perceptron that is told the task by a one-hot vector."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from robomtl.agents.sac.networks.network import Perceptron, Sizes, TaskNetwork, with_one_hot


class OneHot(TaskNetwork):
    """A perceptron over the inputs and the one-hot task, as Meta-World+ trains its baselines.

    The first layer's weights of a task's column count as shared like all others, since they are
    columns of one matrix; only their own task ever changes them, though.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.layers = Perceptron(sizes.inputs + sizes.tasks, sizes, outputs=sizes.outputs)
        self.tasks = sizes.tasks

    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs)."""
        return self.layers(with_one_hot(rows, tasks, self.tasks))
