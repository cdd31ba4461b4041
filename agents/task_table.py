"""What a network knows about single tasks: embeddings and position offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn


class TaskParameters(nn.Module):
    """Everything that belongs to one task alone.

    Args:
        stages: Number of keyframes of the task.
        embedding: Width of the embeddings.
    """

    def __init__(self, stages: int, embedding: int) -> None:
        super().__init__()
        self.task = nn.Parameter(torch.randn(1, embedding))
        self.stages = nn.Parameter(torch.randn(stages, embedding))
        self.offsets = nn.Parameter(torch.zeros(stages, 3))


class TaskTable(nn.Module):
    """Looks up the parameters of tasks and their stages.

    Args:
        stages: Number of keyframes of each task, in task order.
        embedding: Width of the embeddings.
    """

    firsts: Tensor

    def __init__(self, stages: Sequence[int], embedding: int) -> None:
        super().__init__()
        self._tasks = nn.ModuleList(TaskParameters(count, embedding) for count in stages)
        firsts = torch.tensor([0, *stages]).cumsum(0)[:-1]
        self.register_buffer("firsts", firsts, persistent=False)

    @property
    def tasks(self) -> list[TaskParameters]:
        """Each task's own parameters, in task order."""
        return cast(list[TaskParameters], list(self._tasks))

    def forward(self, task: Tensor, stage: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings (B, 2 * embedding) and position offsets in [m], (B, 3).

        Args:
            task: Task indices, (B,) int64.
            stage: Stage indices within their tasks, (B,) int64.
        """
        row = self.firsts[task] + stage
        tasks = torch.cat([own.task for own in self.tasks])[task]
        stages = torch.cat([own.stages for own in self.tasks])[row]
        offsets = torch.cat([own.offsets for own in self.tasks])[row]
        return torch.cat((tasks, stages), dim=-1), offsets
