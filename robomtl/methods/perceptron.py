"""Linear layers with ReLUs between them, as one operation.

Between layers run one by one, each bias, ReLU and mask of a ReLU goes through memory of its own,
which a processor has to fetch. Within one operation nobody else sees what is between, so it is
changed in place, while the product that made it is still at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import handle_torch_function, has_torch_function

from robomtl.methods.autocast import cast_input

_MOST_USED = 0.75  # Share of rows above which picking them costs more than it saves; our guess.

Collect = Callable[[Tensor, Tensor, Tensor, Tensor], None]
"""Takes a layer's weight and bias, and the rows of its output's gradient and of its input."""


def perceptron(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], *, rectified: bool = False
) -> Tensor:
    """Return h_L of h_0 = x, h_l = ReLU(W_l h_(l-1) + b_l), (B, outputs).

    The last layer has no ReLU unless it is asked for. It can be differentiated once.

    Args:
        x: Rows (B, inputs).
        weights: Of each of L layers, (outputs, inputs).
        biases: Of each layer, (outputs,).
        rectified: Whether the last layer has a ReLU too.
    """
    parameters = (*weights, *biases)
    if has_torch_function(parameters):
        return handle_torch_function(
            perceptron, parameters, x, weights, biases, rectified=rectified
        )
    return PerceptronFunction.apply(x, None, None, rectified, *parameters)


class PerceptronFunction(torch.autograd.Function):
    """`perceptron`, or one whose layers' gradients are collected by somebody else.

    Args:
        x: Rows (B, inputs).
        root: Something to differentiate with respect to, so that the backward pass comes here.
        collect: Called for each layer in the backward pass. Parameters get no gradient then.
        rectified: Whether the last layer has a ReLU too.
        parameters: Weights, then biases.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        root: Tensor | None,
        collect: Collect | None,
        rectified: bool,
        *parameters: Tensor,
    ) -> Tensor:
        """Return (B, outputs)."""
        x = cast_input(x)
        weights, biases = _halves(parameters)
        outputs = _outputs(x, weights, biases, rectified)
        ctx.save_for_backward(x, *(outputs if rectified else outputs[:-1]), *parameters)
        ctx.collect, ctx.rectified, ctx.parameters = collect, rectified, len(parameters)
        return outputs[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x and of the parameters."""
        rows, parameters = _split(ctx.saved_tensors, ctx.parameters)
        weights, biases = _halves(parameters)
        wants_x, _, _, _, *wanted = ctx.needs_input_grad
        found: list[Tensor | None] = [None] * len(parameters)
        # Where no parameter wants a gradient, rows that have none need no work.
        used = None if any(wanted) else _used(upstream)
        d = _at(upstream, used)
        if ctx.rectified:
            d = torch.ops.aten.threshold_backward(d, _at(rows[-1], used), 0)
        for layer in reversed(range(len(weights))):
            x, weight = rows[layer], weights[layer]
            if ctx.collect is not None:
                ctx.collect(weight, biases[layer], d, x)
            else:
                if wanted[layer]:
                    found[layer] = _weight_gradient(d, x)
                if wanted[layer + len(weights)]:
                    found[layer + len(weights)] = d.sum(0)
            if layer > 0:
                d = d @ weight.to(d.dtype)
                # This is the only one to know d, so its memory can be used again.
                torch.ops.aten.threshold_backward.grad_input(d, _at(x, used), 0, grad_input=d)
        below = None
        if wants_x:
            below = d @ weights[0].to(d.dtype)
            if used is not None:
                below = below.new_zeros(rows[0].shape).index_copy_(0, used, below)
        return below, None, None, None, *found


def _outputs(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], rectified: bool
) -> list[Tensor]:
    """Return the output of each layer."""
    outputs: list[Tensor] = []
    last = len(weights) - 1
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = F.linear(x, weight).add_(bias)
        if layer < last or rectified:
            x.relu_()
        outputs.append(x)
    return outputs


def _weight_gradient(d: Tensor, x: Tensor) -> Tensor:
    """Return d^T x, (outputs, inputs), by the faster way: products prefer few rows of a result."""
    if x.shape[1] < d.shape[1]:
        return (x.mT @ d).mT
    return d.mT @ x


def _used(upstream: Tensor) -> Tensor | None:
    """Return the numbers of rows that have a gradient, or none if working on all is no slower.

    The lower of two critics is one such case: each row has a gradient in one of them. On devices
    other than the CPU, asking would mean waiting for an answer.
    """
    if upstream.device.type != "cpu":
        return None
    used = upstream.any(1).nonzero()[:, 0]
    return used if len(used) < _MOST_USED * len(upstream) else None


def _at(rows: Tensor, used: Tensor | None) -> Tensor:
    return rows if used is None else rows.index_select(0, used)


def _halves(parameters: Sequence[Tensor]) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    return _split(parameters, len(parameters) // 2)


def _split(values: Sequence[Tensor], last: int) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    return values[:-last], values[-last:]
