"""Float32 matrices are multiplied by whichever of torch's two libraries is faster.

On a CPU, torch takes MKL for them unless it may round, and oneDNN if it may. On processors that
have no units for rounded products, oneDNN rounds nothing. On many of AMD's it takes half the time
then; on Intel's, for which MKL is made, an update takes a sixth longer with it. It is slow at the
long, thin products of a matrix of task gradients, which keep to MKL. A trial of both would not
always end alike, so it is the maker that decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
import torch.nn.functional as F

from robomtl.agents.processor import made_by_amd


@contextmanager
def fast_products(device: torch.device) -> Iterator[None]:
    """Let networks on that device use oneDNN for a while, where it is faster and as exact."""
    if device.type == "cpu" and made_by_amd() and _exact():
        with _allowed_to_round():
            yield
    else:
        yield


@contextmanager
def _allowed_to_round() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@cache
def _exact() -> bool:
    """Whether products that may be rounded are not: bfloat16 would be off by 0.1, not 0.0001."""
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, 256, 256, generator=generator)
    with torch.no_grad(), _allowed_to_round():
        product = F.linear(left, right)
    wanted = left.double() @ right.double().T
    return bool((product - wanted).abs().max() < 1e-3)
