"""Layers whose weights get a gradient of each task.

Each runs as torch's own does; its backward pass splits what belongs to a shared parameter by task,
and hands it to the `Taskwise` mode that called it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from robomtl.methods.autocast import cast_input
from robomtl.methods.exceptions import UnsuitableObjectiveError
from robomtl.methods.perceptron import PerceptronFunction, perceptron

if TYPE_CHECKING:
    from robomtl.methods.taskwise import Taskwise


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, root: Tensor, mode: Taskwise, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        x = cast_input(x)
        ctx.save_for_backward(x)
        ctx.mode, ctx.weight, ctx.bias = mode, weight, bias
        y = F.linear(x, weight)
        # On a CPU, a product with a bias copies that into fresh memory first, which takes longer.
        return y if bias is None else y.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        mode, weight = ctx.mode, ctx.weight
        below = upstream @ weight.to(upstream.dtype) if ctx.needs_input_grad[0] else None
        d, x = upstream.flatten(0, -2), x.flatten(0, -2)
        mode.add_stretches(weight, _products, d, x)
        mode.add_stretches(ctx.bias, _sums, d)
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
        x = cast_input(x)
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
        if _unfolding_pays(upstream, weight, len(mode.counts), groups, dilation):
            kernel = weight.shape[2:]
            pixels = upstream.permute(0, 2, 3, 1).flatten(0, 2)
            windows = _windows(x, kernel, _pair(stride), _pair(padding))
            mode.add_stretches(ctx.weight, partial(_filters, kernel), pixels, windows)
            mode.add_stretches(bias, _sums, pixels)
            return below, None, None, None, None, None
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
        x, ctx.layout = _laid_out(x)
        batch, channels = x.shape[:2]
        size = x[0, 0].numel()
        y, mean, rstd = torch.native_group_norm(x, weight, bias, batch, channels, size, groups, eps)
        ctx.save_for_backward(_as_normalised(x, y), mean, rstd)
        ctx.mode, ctx.groups, ctx.weight, ctx.bias = mode, groups, weight, bias
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, rstd = ctx.saved_tensors
        upstream = upstream.contiguous(memory_format=ctx.layout)
        wanted = [True, ctx.weight is not None, ctx.bias is not None]
        sizes = (x.shape[1], x[0, 0].numel(), ctx.groups)
        below = torch.empty_like(x)
        found = []
        rows = map(ctx.mode.split, (below, upstream, x, mean, rstd))
        for part, d, *own in zip(*rows, strict=True):
            each, *own_gradients = torch.ops.aten.native_group_norm_backward(
                d, *own, ctx.weight, len(d), *sizes, wanted
            )
            part.copy_(each)  # at once, while it is in the processor's caches
            found.append(own_gradients)
        ctx.mode.add(ctx.weight, [gain for gain, _ in found])
        ctx.mode.add(ctx.bias, [shift for _, shift in found])
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
        ctx.save_for_backward(_as_normalised(x, y), mean, rstd)
        ctx.mode, ctx.shape, ctx.weight, ctx.bias = mode, shape, weight, bias
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, rstd = ctx.saved_tensors
        mode, weight, bias = ctx.mode, ctx.weight, ctx.bias
        below = torch.ops.aten.native_layer_norm_backward(
            upstream, x, ctx.shape, mean, rstd, weight, bias, [True, False, False]
        )[0]
        each = (-1, *ctx.shape)
        normalised = (x - mean).mul_(rstd)
        mode.add_stretches(weight, _sums, normalised.mul_(upstream).reshape(each))
        mode.add_stretches(bias, _sums, upstream.reshape(each))
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


def _laid_out(x: Tensor) -> tuple[Tensor, torch.memory_format]:
    """Return x as torch lays it out for the kernel of a group norm, and that layout.

    The kernel reads gradients in the order of x, whatever their own is. Only the CPU's knows
    channels that come last.
    """
    known = x.device.type == "cpu" and x.dim() == 4
    if known and x.is_contiguous(memory_format=torch.channels_last):
        return x, torch.channels_last
    return x.contiguous(), torch.contiguous_format


def _as_normalised(x: Tensor, y: Tensor) -> Tensor:
    """Return a norm's input x as its kernel had it, by the output y: in the same precision.

    Only the CPU's kernels know reduced precision beside parameters that have none; elsewhere,
    autocast widens what it hands to them.
    """
    return x.to(y.dtype)


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


def _perceptron(
    mode: Taskwise,
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    *,
    rectified: bool = False,
) -> Tensor:
    def collect(weight: Tensor, bias: Tensor, d: Tensor, x: Tensor) -> None:
        mode.add_stretches(weight, _products, d, x)
        mode.add_stretches(bias, _sums, d)

    return PerceptronFunction.apply(x, mode.root, collect, rectified, *weights, *biases)


LAYERS: dict[Any, Callable[..., Tensor]] = {
    F.linear: _linear,
    F.conv2d: _conv2d,
    F.group_norm: _group_norm,
    F.layer_norm: _layer_norm,
    F.embedding: _embedding,
    perceptron: _perceptron,
}
"""By the function that they stand in for."""


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _products(d: Tensor, x: Tensor, out: Tensor | None = None) -> Tensor:
    """Return each task's gradient of a linear layer's weight, of rows (k, N, ...)."""
    return torch.bmm(d.mT, x, out=out)


def _sums(d: Tensor, out: Tensor | None = None) -> Tensor:
    """Return each task's gradient of a bias, of rows (k, N, channels)."""
    return torch.sum(d, 1, out=out)


def _filters(
    kernel: Sequence[int], d: Tensor, windows: Tensor, out: Tensor | None = None
) -> Tensor:
    """Return each task's gradient of a convolution's weight, of its pixels and their windows."""
    found = torch.bmm(d.mT, windows).unflatten(-1, (*kernel, -1)).movedim(-1, 2)
    return found if out is None else out.copy_(found)


def _windows(
    x: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """Return what each pixel of a convolution's output sees, (pixels, height * width * inputs)."""
    (height, width), (down, across), (top, left) = kernel, stride, padding
    images = x.permute(0, 2, 3, 1)
    if top or left:
        images = F.pad(images, (0, 0, left, left, top, top))
    windows = images.unfold(1, height, down).unfold(2, width, across)
    return windows.movedim(3, -1).flatten(3).flatten(0, 2)


def _unfolding_pays(
    upstream: Tensor, weight: Tensor, tasks: int, groups: int, dilation: int | Sequence[int]
) -> bool:
    """Whether a convolution's task gradients are faster had as products of unfolded images.

    A library's backward pass, called for each task, starts slowly; an unfolded image is as many
    times larger than the image as a window has pixels. Where it has one, or where a task has few
    pixels for the size of the weight, unfolding was faster by a fifth to a half.
    """
    if groups != 1 or _pair(dilation) != [1, 1]:
        return False
    pixels = upstream[:, 0].numel() // tasks
    return weight[0, 0].numel() == 1 or pixels <= 2 * weight[0].numel()
