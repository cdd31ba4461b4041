"""GradDrop: in each component of the gradient, tasks of one sign only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.exceptions import NonFiniteGramError
from robomtl.methods.aggregators.stochastic import StochasticAggregator
from robomtl.methods.aggregators.validation import checked_weights
from robomtl.methods.exceptions import MethodError

_REFUSAL = (
    "GradDrop decides component by component, which no Gram matrix shows: give the task gradients "
    "to its `combine` instead."
)


class GradDrop(StochasticAggregator):
    """Keeps in each gradient component one random sign, then sums.

    Chen et al., Just Pick a Sign (NeurIPS 2020), Algorithm 1. In every component on its own,
    the positive sign is kept with the probability that the gradients lean to it,

        P = (1 + sum_i g_i / sum_i |g_i|) / 2

    and entries of the other sign are dropped, or multiplied by `leak`. So the expected value of
    two entries that cancel out is zero, but the update is one of them. Works on the gradients
    themselves: see `combine`. Weights scale the gradients: r_i = w_i.

    Args:
        leak: Share in [0, 1] of the dropped entries that stays, the paper's l, here the same
            for all tasks.
        seed: Where the random signs start.

    Raises:
        MethodError: `leak` is not within [0, 1].
    """

    sums = True
    signed = True

    def __init__(self, *, leak: float = 0.0, seed: int = 0) -> None:
        if not 0 <= leak <= 1:
            raise MethodError(f"GradDrop's leak must be within [0, 1], not {leak}.")
        super().__init__(seed=seed)
        self.leak = leak

    def combine(self, blocks: Sequence[Tensor], weights: Tensor | None = None) -> list[Tensor]:
        """Return the update of each parameter.

        Random numbers are drawn on the CPU, so they are the same on every device.

        Args:
            blocks: For each parameter, its K task gradients, (K, *shape).
            weights: Task weights w, (K,); None for 1 each.

        Returns:
            For each parameter a tensor of its shape.

        Raises:
            MethodError: There is no block, or they differ in K.
            NonFiniteGramError: A task's gradients are not finite.
            WeightsError: The weights are not K finite numbers.
        """
        counts = {len(block) if block.ndim else 0 for block in blocks}
        if len(counts) != 1 or 0 in counts:
            raise MethodError(
                "GradDrop needs one block of K task gradients per parameter, (K, *shape), but "
                f"their shapes are {[tuple(block.shape) for block in blocks]}."
            )
        count = counts.pop()
        finite = torch.ones(count, dtype=torch.bool)
        for block in blocks:
            finite &= block.isfinite().reshape(count, -1).all(1).cpu()
        if not finite.all():
            raise NonFiniteGramError((~finite).nonzero().flatten().tolist())
        scales = None if weights is None else checked_weights(weights, count, signed=True)
        return [self._combine(block.detach(), scales) for block in blocks]

    def _combine(self, block: Tensor, scales: Tensor | None) -> Tensor:
        if scales is not None:
            block = block * scales.to(block).reshape(-1, *[1] * (block.ndim - 1))
        total, size = block.sum(0), block.abs().sum(0)
        purity = torch.where(size > 0, 0.5 + 0.5 * total / size, 0.5)
        draw = torch.rand(total.shape, generator=self.generator).to(total.device)
        positive = block.clamp(min=0).sum(0)
        kept = torch.where(draw < purity, positive, total - positive)
        return total.lerp(kept, 1 - self.leak) if self.leak else kept

    def __call__(self, gram: Tensor, weights: Tensor | None = None) -> Tensor:
        """Refuse: signs of components cannot be seen in a Gram matrix.

        Raises:
            MethodError: Always.
        """
        raise MethodError(_REFUSAL)

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Refuse, as calling it does."""
        raise MethodError(_REFUSAL)
