"""Gram matrices of gradients that are spread over many parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


def gram_matrix(blocks: Sequence[Tensor]) -> Tensor:
    """Return the inner products (K, K) float64 of rows that are spread over blocks (K, ...).

    Products of float32 rows are summed up in float32 over two thousand entries at a time, and
    these sums in float64: the error stays at that of the entries themselves. Where squares could
    leave float32's range, everything is done in float64. Whatever precision torch is allowed
    elsewhere, nothing is rounded here.
    """
    with unrounded():
        gram = _summed(_products(block) for block in blocks)
        norms = gram.diagonal()
        if blocks[0].dtype != torch.float64 and not ((norms > 1e-20) & (norms < 1e30)).all():
            gram = _summed(_products(block.to("cpu", torch.float64)) for block in blocks)
    return (gram + gram.T) / 2


@contextmanager
def unrounded() -> Iterator[None]:
    """Let nothing be rounded for a while, whatever precision torch is allowed elsewhere."""
    before = torch.get_float32_matmul_precision()
    if before == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _products(block: Tensor, chunk: int = 2000) -> Tensor:
    """Return the inner products of the rows of a block, chunk by chunk, (chunks, K, K)."""
    rows = block.detach().flatten(1)
    count = rows.shape[1] // chunk
    rest = rows[:, count * chunk :]
    last = torch.mm(rest, rest.T)[None]
    if not count:
        return last
    chunks = rows[:, : count * chunk].unflatten(1, (count, chunk)).transpose(0, 1)
    return torch.cat((torch.bmm(chunks, chunks.transpose(1, 2)), last))


def _summed(products: Iterable[Tensor]) -> Tensor:
    return torch.cat(list(products)).cpu().double().sum(0)
