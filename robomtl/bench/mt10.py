"""A critic of multi-task soft actor-critic on Meta-World's MT10, learning fixed targets.

Three hidden layers of 400 and 128 samples of each of ten tasks, as in the MTRL benchmark (Sodhani
et al. 2021): small matrices, where what a method does besides the network weighs most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robomtl.bench.problem import Problem
from robomtl.methods import Objective

TASKS = tuple(f"task{number}" for number in range(10))
_OBSERVATION, _ACTION, _WIDTH, _SAMPLES = 39, 4, 400, 128


@dataclass(frozen=True, kw_only=True)
class CriticBatch:
    """The same number of samples of each task, one task after the other.

    Attributes:
        inputs: Observation, one-hot task and action, (K, N, D).
        targets: Values to learn, (K, N).
    """

    inputs: Tensor
    targets: Tensor


class CriticObjective:
    """Each task's mean squared error; all parameters are shared.

    Args:
        network: Maps inputs (B, D) to values (B, 1).
    """

    tasks = TASKS
    multi_domain = True

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return all parameters."""
        return list(self.network.parameters())

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        """Return none."""
        return []

    def counts(self, batch: CriticBatch, tasks: Sequence[str]) -> list[int]:
        """Return the number of samples of each of `tasks`."""
        return [batch.inputs.shape[1]] * len(tasks)

    def losses(self, batch: CriticBatch, tasks: Sequence[str]) -> list[Tensor]:
        """Return the losses of `tasks`, of one pass over all their samples."""
        inputs, targets = batch.inputs, batch.targets
        if tuple(tasks) != self.tasks:
            rows = [self.tasks.index(task) for task in tasks]
            inputs, targets = inputs[rows], targets[rows]
        values = self.network(inputs.flatten(0, 1)).view(targets.shape)
        return list((values - targets).square().mean(1).unbind())


def mt10() -> Problem:
    """Return the problem; samples are random, which costs the same."""
    generator = torch.Generator().manual_seed(0)
    return Problem(
        name="mt10",
        summary=f"SAC's critic, 3 x {_WIDTH}, {len(TASKS)} tasks, {_SAMPLES} samples each",
        tasks=TASKS,
        settings={"all primary": TASKS, "1 primary": TASKS[:1]},
        batch=_batch(generator),
        validation_batch=_batch(generator),
        start=_start,
    )


def _start() -> tuple[Objective, torch.optim.Optimizer]:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    inputs = _OBSERVATION + len(TASKS) + _ACTION
    for _ in range(3):
        layers += [nn.Linear(inputs, _WIDTH), nn.ReLU()]
        inputs = _WIDTH
    network = nn.Sequential(*layers, nn.Linear(inputs, 1))
    return CriticObjective(network), torch.optim.Adam(network.parameters(), lr=3e-4, fused=True)


def _batch(generator: torch.Generator) -> CriticBatch:
    count = len(TASKS)
    seen = torch.randn(count, _SAMPLES, _OBSERVATION + _ACTION, generator=generator)
    task = torch.eye(count)[:, None].expand(count, _SAMPLES, count)
    targets = torch.randn(count, _SAMPLES, generator=generator)
    return CriticBatch(inputs=torch.cat((seen, task), dim=-1), targets=targets)
