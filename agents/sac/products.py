"""Float32 matrices are multiplied by whichever of torch's two libraries is faster.

On a CPU, torch takes MKL for them unless it may round, and oneDNN if it may. On processors that
have no units for rounded products, oneDNN rounds nothing, and on AMD's it takes half the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode


def fast_products(device: torch.device) -> AbstractContextManager[object]:
    """Return what makes networks on that device use oneDNN, where that is as exact as MKL."""
    return _OneDNN() if device.type == "cpu" and _exact() else nullcontext()


class _OneDNN(TorchFunctionMode):
    """While active, linear layers and backward passes multiply with oneDNN.

    Only these: it is many times slower than MKL at the long, thin products of task gradients.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run `func`, allowed to round if it is one of those."""
        if func is F.linear or func is torch.autograd.grad:
            with _allowed_to_round():
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


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
