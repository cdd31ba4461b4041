"""Dense prediction as multi-task methods want to see it: every task looks at the same images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from robomtl.agents.dense.batch import DenseBatch
from robomtl.agents.dense.exceptions import ArchitectureError, UnknownDenseTaskError
from robomtl.agents.dense.losses import LOSSES
from robomtl.agents.dense.network import DenseNetwork, Representation, widened

Precision = Literal["bf16", "f32"]


class HalfSharedObjective:
    """The losses of a network's heads: tasks first, then self-auxiliaries "s->t".

    Shared is what more than one head may teach: the trunk, and all branches, since a branch is
    taught by its task and by the self-auxiliaries that transfer to that task. Each head's own are
    the parameters of its decoder.

    Args:
        network: The network.
        precision: "bf16" computes convolutions in bfloat16, "f32" everything in float32.

    Attributes:
        tasks: Names of the heads, in the network's order.
        multi_domain: False: all tasks look at the same samples.
    """

    multi_domain = False

    def __init__(self, network: DenseNetwork, precision: Precision = "f32") -> None:
        heads = list(network.heads.values())
        if heads != sorted(heads, key=lambda head: head.auxiliary):
            raise ArchitectureError(
                f"name the tasks first and then the self-auxiliaries, not {list(network.heads)}"
            )
        self.network = network
        self.precision = precision
        self.tasks = tuple(network.heads)

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the trunk and of all branches."""
        return [*self.network.trunk.parameters(), *self.network.branches.parameters()]

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        """Return the parameters of the decoder of `task`."""
        return list(self.network.decoders[self._known(task)].parameters())

    def buffers(self) -> list[Tensor]:
        """Return what forward passes change while training: batch norm's statistics, if any."""
        return list(self.network.buffers())

    def losses(self, batch: DenseBatch, tasks: Sequence[str]) -> list[Tensor]:
        """Return the scalar losses of the named tasks, in their order.

        Only their branches and decoders are run.

        Raises:
            UnknownDenseTaskError: The network has no such head.
        """
        branches = [self.network.branch_of(self._known(task)) for task in tasks]
        representations = self._encode(batch, branches)
        return [
            self._loss(representations[branch], batch, task)
            for task, branch in zip(tasks, branches, strict=True)
        ]

    def _encode(self, batch: DenseBatch, branches: Sequence[str]) -> dict[str, Representation]:
        with self._autocast(batch):
            encoded = self.network.encode(batch.image, branches)
        # Methods that compare gradients of the representation do so in full precision.
        half = {id(half): widened(half) for half, _ in encoded.values()}
        return {name: (half[id(h)], widened(q)) for name, (h, q) in encoded.items()}

    def _loss(self, representation: Representation, batch: DenseBatch, task: str) -> Tensor:
        with self._autocast(batch):
            prediction = self.network.decode(representation, task)
        return LOSSES[self.network.heads[task].source](prediction, batch)

    def _autocast(self, batch: DenseBatch) -> torch.autocast:
        enabled = self.precision == "bf16"
        return torch.autocast(batch.image.device.type, dtype=torch.bfloat16, enabled=enabled)

    def _known(self, task: str) -> str:
        if task not in self.network.heads:
            raise UnknownDenseTaskError(task, self.tasks)
        return task


class SharedBottomObjective(HalfSharedObjective):
    """The losses of a network whose tasks share the whole encoder.

    Its representation, of which every decoder sees all, can be asked for and decoded by itself.
    """

    def __init__(self, network: DenseNetwork, precision: Precision = "f32") -> None:
        super().__init__(network, precision)
        if network.config.sharing != "full":
            raise ArchitectureError("tasks with branches of their own share no representation")

    def encode(self, batch: DenseBatch) -> Representation:
        """Return the shared representation: (B, C, H/2, W/2) and (B, C', H/4, W/4) float32."""
        (representation,) = self._encode(batch, list(self.network.branches)).values()
        return representation

    def decode(self, representation: Sequence[Tensor], batch: DenseBatch, task: str) -> Tensor:
        """Return the loss of `task` on what `encode` returned for the same batch."""
        half, quarter = representation
        return self._loss((half, quarter), batch, self._known(task))


def objective_of(network: DenseNetwork, precision: Precision = "f32") -> HalfSharedObjective:
    """Return the objective that fits what a network's tasks share."""
    full = network.config.sharing == "full"
    return (SharedBottomObjective if full else HalfSharedObjective)(network, precision)
