"""What autocast does to the input of a layer that computes its own backward pass."""

from __future__ import annotations

import torch
from torch import Tensor


def cast_input(x: Tensor) -> Tensor:
    """Return x as autocast would hand it to a layer: it is needed again in the backward pass."""
    device = x.device.type
    if x.dtype == torch.float32 and torch.is_autocast_enabled(device):
        return x.to(torch.get_autocast_dtype(device))
    return x
