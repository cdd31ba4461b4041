"""Dense prediction of scenes, at the size of `robomtl scenes train`."""

from __future__ import annotations

import torch

from robomtl.agents.dense import DenseBatch, DenseNetwork, SharedBottomObjective
from robomtl.bench.problem import Problem
from robomtl.data.scenes import CLASSES
from robomtl.devices import resolve_precision
from robomtl.methods import Objective

TASKS = ("segmentation", "depth", "normals", "noise")
_SAMPLES, _SIZE = 8, 64
_PRECISION = resolve_precision("auto", "cpu")


def scenes() -> Problem:
    """Return the problem; images and labels are random, which costs the same."""
    generator = torch.Generator().manual_seed(0)
    return Problem(
        name="scenes",
        summary=f"dense network, {', '.join(TASKS)}, batch {_SAMPLES}, {_SIZE} px, {_PRECISION}",
        tasks=TASKS,
        settings={"noise auxiliary": TASKS[:-1]},
        batch=_batch(generator),
        validation_batch=_batch(generator),
        start=_start,
    )


def _start() -> tuple[Objective, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = DenseNetwork(TASKS, len(CLASSES))
    objective = SharedBottomObjective(network, precision=_PRECISION)
    return objective, torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)


def _batch(generator: torch.Generator) -> DenseBatch:
    pixels = (_SIZE, _SIZE)
    normals = torch.randn(_SAMPLES, 3, *pixels, generator=generator)
    return DenseBatch(
        image=2 * torch.rand(_SAMPLES, 3, *pixels, generator=generator) - 1,
        segmentation=torch.randint(len(CLASSES), (_SAMPLES, *pixels), generator=generator),
        depth=0.5 + torch.rand(_SAMPLES, 1, *pixels, generator=generator),
        normals=torch.nn.functional.normalize(normals, dim=1),
        noise=torch.rand(_SAMPLES, 1, *pixels, generator=generator),
    )
