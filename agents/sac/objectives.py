"""The losses of SAC's critics and actor, as multi-task methods want to see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robomtl.agents.sac.policy import TaskActor, TaskCritic


@dataclass(frozen=True, kw_only=True)
class UpdateBatch:
    """What one update of critics and actor sees: n rows of each of T tasks, task after task.

    It holds the noise of the actions too, so that a loss is a function of the parameters alone:
    methods may ask for it again.

    Attributes:
        states: (T n, states).
        actions: What was done, in [-1, 1], (T n, A).
        targets: What its value should be, (T n,).
        noise: Standard normal numbers that the actor's actions are made with, (T n, A).
        temperatures: Entropy temperature of each task, (T,).
    """

    states: Tensor
    actions: Tensor
    targets: Tensor
    noise: Tensor
    temperatures: Tensor

    def rows(self, values: Tensor, numbers: Sequence[int]) -> Tensor:
        """Return those of `values`, one of the batch's, that belong to some of the tasks."""
        count = len(self.temperatures)
        if list(numbers) == list(range(count)):
            return values
        return values.unflatten(0, (count, -1))[list(numbers)].flatten(0, 1)


class _TaskMajorObjective:
    """T losses over networks that know which parameters are a task's own."""

    multi_domain = True

    def __init__(self, networks: Iterable[Any], tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        networks = list(networks)
        everything = [p for net in networks for p in net.parameters()]
        self._own: dict[str, list[nn.Parameter]] = {
            task: [p for net in networks for p in net.own_parameters(number)]
            for number, task in enumerate(tasks)
        }
        own = {id(p) for group in self._own.values() for p in group}
        self._shared = [p for p in everything if id(p) not in own]
        if len(tasks) == 1 and not self._shared:  # a single task's network is all there is to train
            self._own, self._shared = {task: [] for task in tasks}, everything

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that several tasks use, or would use if there were several."""
        return self._shared

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        """Return the parameters that only `task` uses."""
        return self._own[task]

    def counts(self, batch: UpdateBatch, tasks: Sequence[str]) -> list[int]:
        """Return the number of samples of each of `tasks`."""
        return [len(batch.states) // len(self.tasks)] * len(tasks)

    def _numbers(self, tasks: Sequence[str]) -> list[int]:
        return [self.tasks.index(task) for task in tasks]


class CriticObjective(_TaskMajorObjective):
    """The twins' errors, averaged over a task's samples.

    Haarnoja et al., Soft Actor-Critic Algorithms and Applications (2018), Eq. 5, if errors are
    squared ones.

    Args:
        critic: The twins.
        tasks: Names of the tasks, in their order in a batch.
    """

    def __init__(self, critic: TaskCritic, tasks: Sequence[str]) -> None:
        super().__init__(critic.twins, tasks)
        self.critic = critic

    def losses(self, batch: UpdateBatch, tasks: Sequence[str]) -> list[Tensor]:
        """Return the loss of each of `tasks`."""
        numbers = self._numbers(tasks)
        states, actions, targets = (
            batch.rows(values, numbers) for values in (batch.states, batch.actions, batch.targets)
        )
        errors = self.critic.errors(states, actions, targets, numbers)
        return list(errors.unflatten(0, (len(numbers), -1)).mean(1).unbind())


class ActorObjective(_TaskMajorObjective):
    """Temperature times log density, minus the lower of the twins' values, averaged over samples.

    Haarnoja et al. (2018), Eq. 7 and 9, with the lower of two critics as in their section 5. The
    critics are only looked through, so their weights get no gradient and cost none.

    Args:
        actor: What acts.
        critic: What values actions.
        tasks: Names of the tasks, in their order in a batch.
    """

    def __init__(
        self,
        actor: TaskActor,
        critic: TaskCritic,
        tasks: Sequence[str],
    ) -> None:
        super().__init__([actor.network], tasks)
        self.actor = actor
        self.critic = critic
        self._looked_through = list(critic.parameters())
        self._watched: UpdateBatch | None = None
        self._seen: Tensor | None = None

    def losses(self, batch: UpdateBatch, tasks: Sequence[str]) -> list[Tensor]:
        """Return the loss of each of `tasks`."""
        numbers = self._numbers(tasks)
        states, noise = (batch.rows(values, numbers) for values in (batch.states, batch.noise))
        with _frozen(self._looked_through):
            actions, log_density = self.actor.sample(states, numbers, noise)
            value = torch.minimum(*self.critic.values(states, actions, numbers))
        log_density = log_density.unflatten(0, (len(numbers), -1))
        if batch is self._watched and len(numbers) == len(self.tasks):
            self._seen, self._watched = log_density.detach().mean(1), None
        entropy_terms = batch.temperatures[numbers, None] * log_density
        return list((entropy_terms - value.view_as(log_density)).mean(1).unbind())

    def watch(self, batch: UpdateBatch) -> None:
        """Remember the log density of actions when the losses of that batch are first computed."""
        self._watched, self._seen = batch, None

    def take_log_density(self) -> Tensor:
        """Return each task's mean log density (T,), by the actor as it was before its step."""
        assert self._seen is not None, "no losses of all tasks were computed"
        seen, self._seen = self._seen, None
        return seen


@contextmanager
def _frozen(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let no graph that is made meanwhile reach the parameters."""
    trained = [p for p in parameters if p.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
