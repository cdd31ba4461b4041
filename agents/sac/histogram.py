"""Values as probabilities of bins, so that critics learn by cross entropy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_BINS, _LARGEST, _BLUR = 101, 10.0, 0.75


class Histogram(nn.Module):
    """Numbers from -10 to 10 as probabilities of 101 bins, and back.

    A target becomes a normal distribution around it, of 0.75 bin widths, of which each bin takes
    what lies within it: HL-Gauss, as Farebrother et al., Stop Regressing (2024), recommend. Its
    gradient is bounded however far off a value is, so tasks with large errors do not drown the
    others, which is what multi-task critics gain from it: Nauman et al., Bigger, Regularized,
    Categorical (2025). The range is our choice, for returns of about one (see `ReturnScale`); what
    is beyond counts as its end.

    Attributes:
        centres: Middle of each bin, (101,).
        edges: Where bins begin and end, (102,).
    """

    centres: Tensor
    edges: Tensor

    bins = _BINS

    def __init__(self) -> None:
        super().__init__()
        half = _LARGEST / (_BINS - 1)
        centres = torch.linspace(-_LARGEST, _LARGEST, _BINS)
        edges = torch.linspace(-_LARGEST - half, _LARGEST + half, _BINS + 1)
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer("edges", edges, persistent=False)
        self._spread = _BLUR * 2 * half * 2**0.5

    def encode(self, values: Tensor) -> Tensor:
        """Return the probabilities (B, bins) of values (B,)."""
        nearest = values.clamp(-_LARGEST, _LARGEST)[:, None]
        below = torch.erf((self.edges - nearest) / self._spread)
        return below.diff(dim=1) / (below[:, -1:] - below[:, :1])

    def decode(self, logits: Tensor) -> Tensor:
        """Return the expectations (B,) of logits (B, bins)."""
        return logits.softmax(1) @ self.centres
