"""Task gradients of a network that sees the samples of all tasks in one batch.

In a joint backward pass the gradient of a layer's output holds, row by row, the gradient of the
task that the row belongs to; only the last product, with the layer's input, mixes the tasks. Here
that product is taken for each task on its own, which costs what the ordinary one does. So one
forward and one backward pass give all K gradients.

Operations are intercepted where they use a shared parameter. One that is not known here raises
an error, so no gradient is lost unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from robomtl.methods.exceptions import UnsuitableObjectiveError
from robomtl.methods.taskwise_layers import LAYERS


class Taskwise(TorchFunctionMode):
    """While active, shared parameters collect one gradient per task in a backward pass.

    Linear layers, 2-D convolutions, group and layer norms and embeddings are supported, under
    autocast too. Every sample must take the same number of rows in a layer's input, and the
    samples of a task must follow each other.

    Args:
        parameters: The shared parameters.
        blocks: Where their task gradients go, (K, *shape) each; `finish` them after the pass.
        counts: Samples of each task, in their order in the batch.

    Attributes:
        root: Differentiating with respect to it reaches every layer.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], blocks: Sequence[Tensor], counts: Sequence[int]
    ) -> None:
        super().__init__()
        self.root = torch.zeros((), requires_grad=True)
        self._blocks = {id(p): block for p, block in zip(parameters, blocks, strict=True)}
        self._counts = list(counts)
        self._empty = set(self._blocks)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, split by task if it is a layer with a shared parameter."""
        kwargs = kwargs or {}
        if not self._shares((args, kwargs)):
            return func(*args, **kwargs)
        if func in LAYERS:
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
        return rows.split([count * each for count in self._counts])

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

    def grouped(self, rows: Tensor) -> Tensor:
        """Return a layer's rows (B, ...) as (K, most rows of a task, ...), filled up with zeros."""
        if len(set(self._counts)) > 1:
            return nn.utils.rnn.pad_sequence(list(self.split(rows)), batch_first=True)
        self._rows_of_a_sample(rows)
        return rows.unflatten(0, (len(self._counts), -1))

    def add_all(
        self, parameter: Tensor | None, operation: Callable[..., Tensor], *inputs: Any
    ) -> None:
        """Add the result of an operation, all tasks' gradients (K, *shape), to what was collected.

        It is computed in place where nothing was collected yet.
        """
        block = None if parameter is None else self._blocks.get(id(parameter))
        if block is None:
            return
        if id(parameter) not in self._empty:
            block += operation(*inputs)
            return
        self._empty.remove(id(parameter))
        if inputs[0].dtype == block.dtype:
            operation(*inputs, out=block)
        else:
            block.copy_(operation(*inputs))

    def finish(self) -> list[bool]:
        """Set to zero what no layer has added to, and say which parameters any layer uses."""
        for number in self._empty:
            self._blocks[number].zero_()
        return [number not in self._empty for number in self._blocks]

    def _rows_of_a_sample(self, rows: Tensor) -> int:
        each, rest = divmod(len(rows), sum(self._counts))
        if rest:
            raise UnsuitableObjectiveError(
                f"A layer sees {len(rows)} rows for {sum(self._counts)} samples; it should see the "
                "same number for each sample."
            )
        return each

    def _shares(self, value: Any) -> bool:
        """Whether a shared parameter is among nested arguments; called for every operation."""
        if id(value) in self._blocks:
            return True
        kind = type(value)
        if kind is tuple or kind is list:
            return any(map(self._shares, value))
        return kind is dict and any(map(self._shares, value.values()))


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested arguments."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
