"""Task gradients of a network that sees the samples of all tasks in one batch.

In a joint backward pass the gradient of a layer's output holds, row by row, the gradient of the
task that the row belongs to; only the last product, with the layer's input, mixes the tasks. Here
that product is taken for each task on its own, which costs what the ordinary one does. So one
forward and one backward pass give all K gradients.

Operations are intercepted where they use a shared parameter. One that is not known here raises
an error, and so does a gradient that reaches a shared parameter by any other way than as a known
layer's weight or bias. So none is lost unnoticed, but for layers that run without gradients and
again in the backward pass, when nobody watches: there must be no `torch.utils.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from robomtl.methods.exceptions import UnsuitableObjectiveError
from robomtl.methods.taskwise_layers import LAYERS


class Taskwise:
    """While active, shared parameters collect one gradient per task in a backward pass.

    Linear layers, perceptrons, 2-D convolutions, group and layer norms and embeddings are
    supported, under autocast too. Every sample must take the same number of rows in a layer's
    input, and the samples of a task must follow each other.

    Args:
        parameters: The shared parameters.
        blocks: Where their task gradients go, (K, *shape) each; `finish` them after the pass.
        counts: Samples of each task, in their order in the batch.

    Attributes:
        counts: Samples of each task.
        root: Differentiating with respect to it reaches every layer.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], blocks: Sequence[Tensor], counts: Sequence[int]
    ) -> None:
        self.root = torch.zeros((), requires_grad=True)
        self._parameters = list(parameters)
        self._blocks = {id(p): block for p, block in zip(parameters, blocks, strict=True)}
        self.counts = list(counts)
        self._samples = sum(counts)
        self._alike = _alike(counts)
        self._empty = set(self._blocks)
        self._kinds: list[type] = []

    def __enter__(self) -> Self:
        """Watch where the shared parameters go."""
        self._kinds = [type(parameter) for parameter in self._parameters]
        for parameter in self._parameters:
            parameter.__class__ = _Watched
        _Watched.watcher = self
        return self

    def __exit__(self, *error: object) -> None:
        """Let the parameters be what they were."""
        _Watched.watcher = None
        for parameter, kind in zip(self._parameters, self._kinds, strict=True):
            parameter.__class__ = kind

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function of a shared parameter, split by task if it is a layer.

        Raises:
            UnsuitableObjectiveError: Its result depends on the parameter, and it is no layer known,
                or one that has trained parameters which are not shared.
        """
        if func in LAYERS:
            others = _tensors([*args[1:], {**kwargs, "input": None}])  # but not the layer's input
            if any(value.requires_grad and id(value) not in self._blocks for value in others):
                raise UnsuitableObjectiveError(
                    f"A layer {func.__name__!r} has shared parameters and others that are trained; "
                    "all of them must be shared, or none."
                )
            return LAYERS[func](self, *args, **kwargs)
        result = func(*args, **kwargs)
        if any(value.requires_grad for value in _tensors(result)):
            name = getattr(func, "__name__", str(func))
            raise UnsuitableObjectiveError(
                f"A shared parameter goes into {name!r}, whose gradient cannot be split by task. "
                f"Supported are: {sorted(layer.__name__ for layer in LAYERS)}. An objective "
                "without `counts` computes each task's gradient on its own."
            )
        return result

    def split(self, rows: Tensor) -> Sequence[Tensor]:
        """Return each task's rows of a layer's input or output.

        Raises:
            UnsuitableObjectiveError: Samples do not all have the same number of rows.
        """
        each = self._rows_of_a_sample(rows)
        return rows.split([count * each for count in self.counts])

    def add(self, parameter: Tensor | None, gradients: Sequence[Tensor]) -> None:
        """Add each task's gradient to what a shared parameter has collected."""
        if parameter is None or id(parameter) not in self._blocks:
            return
        rows = self._blocks[id(parameter)].unbind()
        if id(parameter) in self._empty:
            self._empty.remove(id(parameter))
            torch._foreach_copy_(rows, list(gradients))
        else:
            for row, gradient in zip(rows, gradients, strict=True):
                row += gradient

    def add_stretches(
        self, parameter: Tensor | None, operation: Callable[..., Tensor], *inputs: Tensor
    ) -> None:
        """Add what an operation makes of the rows of tasks with equally many samples.

        Args:
            parameter: Whose gradients it makes.
            operation: Takes each input's rows (k, rows of a task, ...), for k tasks that follow
                each other, and gives their gradients (k, *shape), in `out` if that is given.
            inputs: A layer's rows, (B, ...) each.
        """
        block = None if parameter is None else self._blocks.get(id(parameter))
        if block is None:
            return
        fresh = id(parameter) in self._empty
        self._empty.discard(id(parameter))
        in_place = fresh and inputs[0].dtype == block.dtype
        for tasks, rows in self._stretches(inputs):
            part = _part(block, tasks.start, tasks.stop)
            if in_place:
                operation(*rows, out=part)
            elif fresh:
                part.copy_(operation(*rows))
            else:
                part += operation(*rows)

    def finish(self, unsplit: Sequence[Tensor | None]) -> list[bool]:
        """Set to zero what no layer has added to, and say which parameters any layer uses.

        Args:
            unsplit: What the backward pass found for each shared parameter: nothing, if every
                layer that uses it has split its gradient by task.

        Raises:
            UnsuitableObjectiveError: It found something.
        """
        for parameter, gradient in zip(self._parameters, unsplit, strict=True):
            if gradient is not None:
                raise UnsuitableObjectiveError(
                    f"A shared parameter of shape {tuple(parameter.shape)} is used by a custom "
                    "autograd function, or as a layer's input, so its gradient cannot be split by "
                    "task. An objective without `counts` computes each task's gradient on its own."
                )
        for number in self._empty:
            self._blocks[number].zero_()
        return [number not in self._empty for number in self._blocks]

    def _rows_of_a_sample(self, rows: Tensor) -> int:
        each, rest = divmod(rows.shape[0], self._samples)
        if rest:
            raise UnsuitableObjectiveError(
                f"A layer sees {len(rows)} rows for {self._samples} samples; it should see the "
                "same number for each sample."
            )
        return each

    def _stretches(self, inputs: Sequence[Tensor]) -> Iterator[tuple[slice, list[Tensor]]]:
        """Yield stretches of tasks with equally many samples, and their rows of each input."""
        each = [self._rows_of_a_sample(rows) for rows in inputs]
        for tasks, start, count in self._alike:
            many = tasks.stop - tasks.start
            stop = start + many * count
            yield (
                tasks,
                [
                    _part(rows, start * n, stop * n).view(many, count * n, *rows.shape[1:])
                    for rows, n in zip(inputs, each, strict=True)
                ],
            )


def _alike(counts: Sequence[int]) -> list[tuple[slice, int, int]]:
    """Return stretches of tasks with equally many samples: tasks, first sample, samples of each."""
    found, task, sample = [], 0, 0
    for count, same in groupby(counts):
        many = len(list(same))
        found.append((slice(task, task + many), sample, count))
        task += many
        sample += many * count
    return found


def _part(rows: Tensor, start: int, stop: int) -> Tensor:
    """Return some of the rows; all of them at no cost."""
    return rows if stop - start == rows.shape[0] else rows[start:stop]


class _Watched(nn.Parameter):
    """A shared parameter for as long as a `Taskwise` is active, which hears of every use of it."""

    watcher: ClassVar[Taskwise | None] = None

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            assert cls.watcher is not None
            return cls.watcher.run(func, args, kwargs or {})


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested arguments."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
