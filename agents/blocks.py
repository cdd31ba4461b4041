"""Building blocks of the keyframe network, chosen by what is fast on a CPU.

Norms are group norms with a single group: batches mix tasks, so statistics must not cross
samples, and on a CPU one group is five to fifteen times faster than four.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class ConvBlock(nn.Module):
    """3x3 convolution, norm, optional FiLM conditioning, ReLU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the kernel in pixels.
        stride: 2 halves the resolution.
        condition: Width of the conditioning vector; 0 for an unconditioned block.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, condition: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.norm = nn.GroupNorm(1, outputs)
        self.film = nn.Linear(condition, 2 * outputs) if condition else None
        if self.film is not None:
            # Starts as the identity.
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        x = self.norm(self.conv(x))
        if self.film is not None:
            scale, shift = self.film(condition).to(x.dtype)[..., None, None].chunk(2, dim=1)
            x = x * (1 + scale) + shift
        return F.relu(x)


class Up(nn.Module):
    """Doubles the resolution of `x`, adds the encoder's features there, and mixes both."""

    def __init__(self, inputs: int, skip: int, outputs: int, condition: int) -> None:
        super().__init__()
        # Channels are reduced before enlarging: a quarter of the work.
        self.reduce = nn.Conv2d(inputs, outputs, 1)
        self.skip = nn.Conv2d(skip, outputs, 1)
        self.mix = ConvBlock(outputs, outputs, condition=condition)

    def forward(self, x: Tensor, skip: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map (N, inputs, H, W) and (N, skip, 2H, 2W) to (N, outputs, 2H, 2W)."""
        x = F.interpolate(self.reduce(x), scale_factor=2)
        return self.mix(x + self.skip(skip), condition)


def mlp(*widths: int) -> nn.Sequential:
    """Return linear layers of these widths with layer norm and ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))
