"""Gradients of each task, and what methods ask of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from robomtl.methods.gram import gram_matrix, unrounded
from robomtl.methods.objective import (
    Objective,
    StackedObjective,
    shared_parameters,
    task_parameters,
)
from robomtl.methods.taskwise import Taskwise

Gradients = Sequence[Tensor | None]
"""One gradient per parameter; none where a parameter is not used."""

Check = Callable[[Sequence[Tensor]], None]
"""Looks at the task losses before anything is differentiated, and raises if they are not finite."""

_NARROW = 4000  # entries of a parameter


class TaskGradients(ABC):
    """The gradients g_1 ... g_K of K task losses.

    Attributes:
        tasks: Names of the K tasks.
        losses: The K losses, (K,) float64 without gradient, on the CPU.
        shared: The P shared parameters' tensors.
        own: Each task's own parameters.
        own_gradients: Each task's gradient of its own parameters.
        known_gram: The Gram matrix, once somebody has asked for it.
    """

    tasks: tuple[str, ...]
    losses: Tensor
    shared: list[nn.Parameter]
    own: list[list[nn.Parameter]]
    own_gradients: list[Gradients]
    known_gram: Tensor | None = None

    @property
    def gram(self) -> Tensor:
        """Inner products of the task gradients, (K, K) float64 on the CPU; 0 if they share none."""
        if self.known_gram is None:
            rows, count = self._rows(), len(self.tasks)
            none = torch.zeros(count, count, dtype=torch.float64)
            self.known_gram = gram_matrix(rows) if rows else none
        return self.known_gram

    @abstractmethod
    def _rows(self) -> Sequence[Tensor]:
        """Return the gradients that the Gram matrix is made of, in blocks (K, ...)."""

    @abstractmethod
    def combine(self, coefficients: Tensor) -> list[Tensor | None]:
        """Return sum_i c_i g_i for each shared parameter; none where no task uses it."""

    def combine_for_dot(self, coefficients: Tensor) -> list[Tensor | None]:
        """Do as `combine`, and prepare for `dot`."""
        return self.combine(coefficients)

    @abstractmethod
    def dot(self, shared: Gradients, own: Sequence[Gradients]) -> Tensor:
        """Return <g_i, v> for each task, (K,) float64, with v over shared and own parameters.

        It may be asked for once, after `combine_for_dot`.
        """

    def parameters(self) -> list[nn.Parameter]:
        """Return the shared parameters, then each task's own."""
        return [*self.shared, *(p for group in self.own for p in group)]

    def weighted_own(self, weights: Tensor) -> list[Tensor | None]:
        """Return lambda_i times its own gradient for each task's own parameters, one after all."""
        return [
            None if g is None else weight * g
            for weight, group in zip(weights.tolist(), self.own_gradients, strict=True)
            for g in group
        ]

    def _dot_own(self, own: Sequence[Gradients]) -> Tensor:
        return torch.stack([_inner(a, b) for a, b in zip(self.own_gradients, own, strict=True)])


class GradientMatrix(TaskGradients):
    """Gradients of the shared parameters, K x P, in one block (K, *shape) per parameter.

    `GradientBuffer` computes it. Every backward pass has its row in each block.

    Attributes:
        blocks: The matrix, one block for each shared parameter.
        used: Whether any task uses that parameter.
    """

    def __init__(
        self,
        tasks: tuple[str, ...],
        shared: list[nn.Parameter],
        own: list[list[nn.Parameter]],
        blocks: list[Tensor],
    ) -> None:
        self.tasks = tasks
        self.shared = shared
        self.own = own
        self.blocks = blocks
        self.used = [True] * len(blocks)

    @cached_property
    def _pieces(self) -> list[tuple[list[int], Tensor]]:
        """The matrix in few pieces (K, n), each with the numbers of the parameters in it.

        Narrow blocks are copied into one, since every product takes its time to start.
        """
        pieces: list[tuple[list[int], Tensor]] = []
        narrow: dict[Any, list[int]] = defaultdict(list)
        for number, block in enumerate(self.blocks):
            if block[0].numel() < _NARROW:
                narrow[block.dtype, block.device].append(number)
            else:
                pieces.append(([number], block.flatten(1)))
        for members in narrow.values():
            rows = [self.blocks[i].reshape(len(self.tasks), -1) for i in members]
            pieces.append((members, torch.cat(rows, 1)))
        return pieces

    def _rows(self) -> list[Tensor]:
        return [rows for _, rows in self._pieces]

    def combine(self, coefficients: Tensor) -> list[Tensor | None]:
        """Return sum_i c_i g_i for each shared parameter; none where no task uses it."""
        found: list[Tensor | None] = [None] * len(self.blocks)
        with unrounded():
            for members, rows in self._pieces:
                shapes = [self.blocks[i].shape[1:] for i in members]
                product = torch.mm(coefficients.to(rows)[None], rows)[0]
                parts = product.split([shape.numel() for shape in shapes])
                for i, shape, part in zip(members, shapes, parts, strict=True):
                    found[i] = part.view(shape) if self.used[i] else None
        return found

    def scaled(self, factors: Sequence[Tensor | float]) -> GradientMatrix:
        """Return a copy with each entry multiplied by its parameter's factor.

        Args:
            factors: One for each entry, or one for all entries, of every parameter in the order of
                `parameters`.
        """
        remaining = iter(factors)
        blocks: list[Tensor] = [block * next(remaining) for block in self.blocks]
        copy = GradientMatrix(self.tasks, self.shared, self.own, blocks)
        copy.used = list(self.used)
        copy.losses = self.losses
        copy.own_gradients = [
            [None if g is None else g * f for g, f in zip(group, remaining, strict=False)]
            for group in self.own_gradients
        ]
        return copy

    def dot(self, shared: Gradients, own: Sequence[Gradients]) -> Tensor:
        """Return <g_i, v> for each task, (K,) float64, with v over shared and own parameters."""
        with unrounded():
            products = [
                torch.mv(rows, torch.cat([self._flat(i, shared[i]) for i in members]))
                for members, rows in self._pieces
            ]
        total = self._dot_own(own)
        return total if not products else total + torch.stack(products).cpu().double().sum(0)

    def _flat(self, number: int, direction: Tensor | None) -> Tensor:
        if direction is None:
            return torch.zeros_like(self.blocks[number][0]).reshape(-1)
        return direction.reshape(-1)


class GradientBuffer:
    """Computes gradient matrices in memory that is kept from one step to the next."""

    def __init__(self) -> None:
        self._blocks: list[Tensor] = []

    def compute(
        self, objective: Objective, batch: Any, check: Check, tasks: Sequence[str] | None = None
    ) -> GradientMatrix:
        """Return the gradients of `tasks`, or of all; an earlier matrix becomes invalid.

        Multi-domain problems take one forward and backward pass over all samples if they are
        stacked, else a small one for each task. Single-domain problems take one forward pass,
        and one backward pass per task.
        """
        names = tuple(tasks if tasks is not None else objective.tasks)
        shared = shared_parameters(objective)
        own = [task_parameters(objective, task) for task in names]
        matrix = GradientMatrix(names, shared, own, self._allocated(shared, len(names)))
        if isinstance(objective, StackedObjective):
            _stacked(objective, batch, matrix, check)
        elif objective.multi_domain:
            _one_by_one(objective, batch, matrix, check)
        else:
            _from_one_graph(objective, batch, matrix, check)
        return matrix

    def _allocated(self, shared: list[nn.Parameter], count: int) -> list[Tensor]:
        wanted = [(count, *p.shape) for p in shared]
        have = [block.shape for block in self._blocks]
        if have != wanted or any(
            b.dtype != p.dtype or b.device != p.device
            for b, p in zip(self._blocks, shared, strict=True)
        ):
            self._blocks = [p.new_zeros(count, *p.shape) for p in shared]
        return self._blocks


def _stacked(objective: Any, batch: Any, matrix: GradientMatrix, check: Check) -> None:
    """One forward and backward pass in which every layer keeps the tasks apart."""
    counts = objective.counts(batch, matrix.tasks)
    mode = Taskwise(matrix.shared, matrix.blocks, counts)
    with mode:
        losses = objective.losses(batch, matrix.tasks)
    check(losses)
    wanted = [mode.root, *matrix.shared, *(p for group in matrix.own for p in group)]
    _, *gradients = torch.autograd.grad(torch.stack(losses).sum(), wanted, allow_unused=True)
    found = iter(gradients)
    matrix.used = mode.finish(list(islice(found, len(matrix.shared))))
    matrix.losses = detached(losses)
    matrix.own_gradients = [[next(found) for _ in group] for group in matrix.own]


def _one_by_one(objective: Objective, batch: Any, matrix: GradientMatrix, check: Check) -> None:
    """One forward and backward pass for each task, over its own samples."""
    losses: list[Tensor] = []
    _start(matrix)
    for row, task in enumerate(matrix.tasks):
        (loss,) = objective.losses(batch, [task])
        check([*losses, loss])
        _fill(matrix, row, loss, retain=False)
        losses.append(loss.detach())
    matrix.losses = detached(losses)


def _from_one_graph(objective: Objective, batch: Any, matrix: GradientMatrix, check: Check) -> None:
    """One forward pass for all tasks, and one backward pass for each."""
    losses = objective.losses(batch, matrix.tasks)
    check(losses)
    _start(matrix)
    for row, loss in enumerate(losses):
        _fill(matrix, row, loss, retain=row + 1 < len(losses))
    matrix.losses = detached(losses)


def _start(matrix: GradientMatrix) -> None:
    matrix.used = [False] * len(matrix.shared)
    matrix.own_gradients = []


def _fill(matrix: GradientMatrix, row: int, loss: Tensor, *, retain: bool) -> None:
    wanted = [*matrix.shared, *matrix.own[row]]
    found: Gradients = torch.autograd.grad(loss, wanted, retain_graph=retain, allow_unused=True)
    for number, (block, gradient) in enumerate(zip(matrix.blocks, found, strict=False)):
        if gradient is None:
            block[row].zero_()
        else:
            block[row].copy_(gradient)
            matrix.used[number] = True
    matrix.own_gradients.append(found[len(matrix.shared) :])


def detached(losses: Sequence[Tensor]) -> Tensor:
    """Return losses as numbers, (K,) float64 on the CPU."""
    return torch.stack([loss.detach() for loss in losses]).cpu().double()


def _inner(left: Gradients, right: Gradients) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for a, b in zip(left, right, strict=True):
        if a is not None and b is not None:
            total += (a * b).sum().cpu()
    return total
