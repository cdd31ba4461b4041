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
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from robomtl.methods.exceptions import UnsuitableObjectiveError


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
        if func in _LAYERS:
            return _LAYERS[func](self, *args, **kwargs)
        result = func(*args, **kwargs)
        if any(value.requires_grad for value in _tensors(result)):
            name = getattr(func, "__name__", str(func))
            raise UnsuitableObjectiveError(
                f"A shared parameter goes into {name!r}, whose gradient cannot be split by task. "
                f"Supported are: {sorted(layer.__name__ for layer in _LAYERS)}. An objective "
                "without `counts` computes each task's gradient on its own."
            )
        return result

    def split(self, rows: Tensor) -> Sequence[Tensor]:
        """Return each task's rows of a layer's input or output.

        Raises:
            UnsuitableObjectiveError: Samples do not all have the same number of rows.
        """
        each, rest = divmod(len(rows), sum(self._counts))
        if rest:
            raise UnsuitableObjectiveError(
                f"A layer sees {len(rows)} rows for {sum(self._counts)} samples; it should see the "
                "same number for each sample."
            )
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

    def whole(self, parameter: Tensor, *rows: Tensor) -> Sequence[Tensor] | None:
        """Return a parameter's block and each of `rows` as (K, rows of a task, ...).

        Then all tasks can be written with one operation. That needs a block that is still empty,
        of the same precision, and tasks with the same number of samples; otherwise it is none.
        """
        block = self._blocks.get(id(parameter))
        if block is None or id(parameter) not in self._empty:
            return None
        if len(set(self._counts)) > 1 or block.dtype != rows[0].dtype:
            return None
        self._empty.remove(id(parameter))
        return [block, *(x.unflatten(0, (len(self._counts), -1)) for x in rows)]

    def finish(self) -> list[bool]:
        """Set to zero what no layer has added to, and say which parameters any layer uses."""
        for number in self._empty:
            self._blocks[number].zero_()
        return [number not in self._empty for number in self._blocks]

    def _shares(self, value: Any) -> bool:
        """Whether a shared parameter is among nested arguments; called for every operation."""
        if id(value) in self._blocks:
            return True
        kind = type(value)
        if kind is tuple or kind is list:
            return any(map(self._shares, value))
        return kind is dict and any(map(self._shares, value.values()))


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, root: Tensor, mode: Taskwise, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        x = _cast(x)
        ctx.save_for_backward(x)
        ctx.mode, ctx.weight, ctx.bias = mode, weight, bias
        return F.linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        mode, weight = ctx.mode, ctx.weight
        below = upstream @ weight.to(upstream.dtype) if ctx.needs_input_grad[0] else None
        d, x = upstream.flatten(0, -2), x.flatten(0, -2)
        if whole := mode.whole(weight, d, x):
            block, ds, xs = whole
            torch.bmm(ds.transpose(1, 2), xs, out=block)
        else:
            pairs = zip(mode.split(d), mode.split(x), strict=True)
            mode.add(weight, [ds.T @ xs for ds, xs in pairs])
        if ctx.bias is not None:
            if whole := mode.whole(ctx.bias, d):
                torch.sum(whole[1], 1, out=whole[0])
            else:
                mode.add(ctx.bias, [ds.sum(0) for ds in mode.split(d)])
        return below, None, None, None, None


class _Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        root: Tensor,
        mode: Taskwise,
        weight: Tensor,
        bias: Tensor | None,
        geometry: tuple[Any, ...],
    ) -> Tensor:
        x = _cast(x)
        ctx.save_for_backward(x)
        ctx.mode, ctx.weight, ctx.bias, ctx.geometry = mode, weight, bias, geometry
        return torch.conv2d(x, weight, bias, *geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        mode, bias = ctx.mode, ctx.bias
        weight = ctx.weight.to(upstream.dtype)
        stride, padding, dilation, groups = ctx.geometry
        geometry = (_pair(stride), _pair(padding), _pair(dilation), False, [0, 0], groups)
        sizes = None if bias is None else [len(bias)]

        def gradients(d: Tensor, x: Tensor, wanted: list[bool]) -> Any:
            return torch.ops.aten.convolution_backward(d, x, weight, sizes, *geometry, wanted)

        below = None
        if ctx.needs_input_grad[0]:
            below = gradients(upstream, x, [True, False, False])[0]
        wanted = [False, True, bias is not None]
        pairs = zip(mode.split(upstream), mode.split(x), strict=True)
        found = [gradients(d, own, wanted) for d, own in pairs]
        mode.add(ctx.weight, [each[1] for each in found])
        mode.add(bias, [each[2] for each in found])
        return below, None, None, None, None, None


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        root: Tensor,
        mode: Taskwise,
        groups: int,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
    ) -> Tensor:
        batch, channels = x.shape[:2]
        size = x[0, 0].numel()
        y, mean, rstd = torch.native_group_norm(x, weight, bias, batch, channels, size, groups, eps)
        ctx.save_for_backward(x, mean, rstd)
        ctx.mode, ctx.groups, ctx.weight, ctx.bias = mode, groups, weight, bias
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, rstd = ctx.saved_tensors
        wanted = [True, ctx.weight is not None, ctx.bias is not None]
        sizes = (x.shape[1], x[0, 0].numel(), ctx.groups)
        found = [
            torch.ops.aten.native_group_norm_backward(d, *own, ctx.weight, len(d), *sizes, wanted)
            for d, *own in zip(*map(ctx.mode.split, (upstream, x, mean, rstd)), strict=True)
        ]
        below = torch.cat([each[0] for each in found])
        ctx.mode.add(ctx.weight, [each[1] for each in found])
        ctx.mode.add(ctx.bias, [each[2] for each in found])
        return below, None, None, None, None, None, None


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        root: Tensor,
        mode: Taskwise,
        shape: list[int],
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
    ) -> Tensor:
        y, mean, rstd = torch.native_layer_norm(x, shape, weight, bias, eps)
        ctx.save_for_backward(x, mean, rstd)
        ctx.mode, ctx.shape, ctx.weight, ctx.bias = mode, shape, weight, bias
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, rstd = ctx.saved_tensors
        affine = (ctx.weight, ctx.bias)
        wanted = [True, ctx.weight is not None, ctx.bias is not None]
        found = [
            torch.ops.aten.native_layer_norm_backward(d, own, ctx.shape, *at, *affine, wanted)
            for d, own, *at in zip(*map(ctx.mode.split, (upstream, x, mean, rstd)), strict=True)
        ]
        below = torch.cat([each[0] for each in found])
        ctx.mode.add(ctx.weight, [each[1] for each in found])
        ctx.mode.add(ctx.bias, [each[2] for each in found])
        return below, None, None, None, None, None, None


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, index: Tensor, root: Tensor, mode: Taskwise, weight: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.mode, ctx.weight = mode, weight
        return F.embedding(index, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[None, ...]:
        (index,) = ctx.saved_tensors
        weight = ctx.weight
        ctx.mode.add(
            weight,
            [
                torch.zeros_like(weight).index_add_(0, own.flatten(), d.flatten(0, -2).to(weight))
                for own, d in zip(*map(ctx.mode.split, (index, upstream)), strict=True)
            ],
        )
        return None, None, None, None


def _linear(mode: Taskwise, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return _Linear.apply(input, mode.root, mode, weight, bias)


def _conv2d(
    mode: Taskwise,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str):
        raise UnsuitableObjectiveError(
            f"A convolution padded by {padding!r} cannot be split by task; give it numbers."
        )
    geometry = (stride, padding, dilation, groups)
    return _Conv2d.apply(input, mode.root, mode, weight, bias, geometry)


def _group_norm(
    mode: Taskwise,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    return _GroupNorm.apply(input, mode.root, mode, num_groups, weight, bias, eps)


def _layer_norm(
    mode: Taskwise,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    return _LayerNorm.apply(input, mode.root, mode, list(normalized_shape), weight, bias, eps)


def _embedding(
    mode: Taskwise,
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    if padding_idx is not None or max_norm is not None or scale_grad_by_freq or sparse:
        raise UnsuitableObjectiveError(
            "The gradient of an embedding with a padding index, a largest norm, frequency scaling "
            "or sparse gradients cannot be split by task."
        )
    return _Embedding.apply(input, mode.root, mode, weight)


_LAYERS: dict[Any, Callable[..., Tensor]] = {
    F.linear: _linear,
    F.conv2d: _conv2d,
    F.group_norm: _group_norm,
    F.layer_norm: _layer_norm,
    F.embedding: _embedding,
}


def _cast(x: Tensor) -> Tensor:
    """Return what autocast would make of a layer's input: it is needed again in the backward."""
    device = x.device.type
    if x.dtype == torch.float32 and torch.is_autocast_enabled(device):
        return x.to(torch.get_autocast_dtype(device))
    return x


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested arguments."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
