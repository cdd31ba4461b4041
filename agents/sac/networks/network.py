"""What every network of multi-task SAC is, and the layers they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robomtl.methods.perceptron import perceptron


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How large a network is.

    Attributes:
        inputs: Numbers that describe a state, or a state and an action.
        outputs: Numbers to compute.
        tasks: Number of tasks T.
        width: Units of a hidden layer.
        depth: Hidden layers.
        layer_norm: Whether hidden layers are normalised before their ReLU.
    """

    inputs: int
    outputs: int
    tasks: int
    width: int
    depth: int
    layer_norm: bool


class TaskNetwork(nn.Module, ABC):
    """Maps rows, which belong to tasks, to outputs.

    Rows come in groups of equal size, one task each: a batch of replayed transitions is a large
    group for each task, and what acts in T environments sees groups of one row.
    """

    @abstractmethod
    def forward(self, rows: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return outputs (B, outputs).

        Args:
            rows: Inputs (B, inputs), B / G rows of each group after the other.
            tasks: Number of the task of each of the G groups.
        """

    def own_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the parameters that only that task uses."""
        return []


class Layer(nn.Module):
    """ReLU of a linear layer, normalised in between if wanted."""

    def __init__(self, inputs: int, outputs: int, *, layer_norm: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.norm = nn.LayerNorm(outputs) if layer_norm else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs)."""
        x = self.linear(x)
        # In place: on a CPU, asking for fresh memory takes longer than the operation.
        return F.relu(x if self.norm is None else self.norm(x), inplace=True)


class Perceptron(nn.Sequential):
    """Hidden layers, and a linear one after them unless their output is what is wanted.

    Without norms between them it runs as one operation, which is faster.
    """

    def __init__(self, inputs: int, sizes: Sizes, *, outputs: int | None) -> None:
        widths = [inputs, *[sizes.width] * sizes.depth]
        layers: list[nn.Module] = [
            Layer(before, after, layer_norm=sizes.layer_norm) for before, after in pairwise(widths)
        ]
        if outputs is not None:
            layers.append(nn.Linear(sizes.width, outputs))
        super().__init__(*layers)
        self.rectified = outputs is None
        self.layer_norm = sizes.layer_norm
        self._linear: list[Any] = [m.linear if isinstance(m, Layer) else m for m in self]

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs)."""
        if self.layer_norm:
            return super().forward(x)
        weights, biases = [m.weight for m in self._linear], [m.bias for m in self._linear]
        return perceptron(x, weights, biases, rectified=self.rectified)


def with_one_hot(rows: Tensor, tasks: Sequence[int], total: int) -> Tensor:
    """Return rows (B, inputs) with the one-hot vector of each one's task, (B, inputs + T).

    Args:
        rows: B / G rows of each of G groups after the other.
        tasks: Number of the task of each group.
        total: Number of tasks T.
    """
    return torch.cat((rows, _one_hot(tuple(tasks), len(rows), total, rows.device)), 1)


@lru_cache(maxsize=16)
def _one_hot(tasks: tuple[int, ...], rows: int, total: int, device: torch.device) -> Tensor:
    # Every network of every update asks for the same.
    return torch.eye(total, device=device)[list(tasks)].repeat_interleave(rows // len(tasks), 0)


class TaskEncodings(nn.Module):
    """A learned vector for each task, which is that task's own parameter."""

    def __init__(self, tasks: int, size: int) -> None:
        super().__init__()
        self.vectors = nn.ParameterList(torch.randn(size) for _ in range(tasks))

    def forward(self, rows: int, tasks: Sequence[int]) -> Tensor:
        """Return the vector of each row's task, (rows, size)."""
        stacked = torch.stack([self.vectors[task] for task in tasks])
        return stacked.repeat_interleave(rows // len(tasks), 0)
