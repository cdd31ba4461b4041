"""Task gradients to try aggregators on, drawn by seed."""

import torch

KINDS = ("random", "orthogonal", "conflicting", "near_singular")


def gradients(kind: str, seed: int, count: int | None = None) -> torch.Tensor:
    """Return K task gradients as rows, float64 (K, P), K from 2 to 50, of lengths 0.1 to 10.

    random: normal entries. orthogonal: no two have anything in common. conflicting: every pair
    points against each other, though a common descent direction is left. near_singular:
    singular values spread from 1 to 1e-3.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    if count is None:
        # Most problems have few tasks, so half of the draws have at most ten.
        most = (11, 51)[int(torch.randint(2, (), generator=generator))]
        count = int(torch.randint(2, most, (), generator=generator))
    size = count + int(torch.randint(1, 100, (), generator=generator))
    rows = normal(count, size)
    lengths = 10 ** (2 * torch.rand(count, 1, generator=generator, dtype=torch.float64) - 1)
    if kind == "random":
        return rows / size**0.5 * lengths
    basis = torch.linalg.qr(rows.T).Q.T
    if kind == "orthogonal":
        return basis * lengths
    if kind == "conflicting":
        return (basis - 0.9 * basis.mean(0)) * lengths
    if kind == "near_singular":
        left = torch.linalg.qr(normal(count, count)).Q
        values = torch.logspace(0, -3, count, dtype=torch.float64)
        return (left * values) @ basis * lengths
    raise ValueError(f"No kind {kind!r}; there are {KINDS}.")


def every_kind(total: int) -> list[tuple[str, int]]:
    """Return `total` pairs of kind and seed, all kinds alike."""
    return [(KINDS[i % len(KINDS)], i) for i in range(total)]
