"""Behaviour cloning of ten tasks with the keyframe network, at the size of `robomtl train`."""

from __future__ import annotations

import torch
from torch import Tensor

from robomtl.agents import Batch, CloningObjective, Inputs, KeyframeNetwork
from robomtl.bench.problem import Problem
from robomtl.devices import resolve_precision
from robomtl.methods import Objective

TASKS = tuple(f"task{number}" for number in range(10))
_CAMERAS, _STAGES, _SAMPLES, _SIZE = 3, 4, 32, 128
_PRECISION = resolve_precision("auto", "cpu")


def cloning() -> Problem:
    """Return the problem; images are noise and keyframes random, which costs the same."""
    generator = torch.Generator().manual_seed(0)
    return Problem(
        name="cloning",
        summary=f"keyframe network, {len(TASKS)} tasks, batch {_SAMPLES}, {_SIZE} px, {_PRECISION}",
        tasks=TASKS,
        settings={"all primary": TASKS, "1 primary": TASKS[:1]},
        batch=_batch(generator),
        validation_batch=_batch(generator),
        start=_start,
    )


def _start() -> tuple[Objective, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = KeyframeNetwork([_STAGES] * len(TASKS), _CAMERAS)
    objective = CloningObjective(network, TASKS, precision=_PRECISION)
    return objective, torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)


def _batch(generator: torch.Generator) -> Batch:
    """Return samples sorted by task, as training has them, of a rough table seen from above."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    pixels = (_SAMPLES, _CAMERAS, _SIZE, _SIZE)
    x, y = (torch.linspace(low, low + 0.9, _SIZE) for low in (-0.2, -0.45))
    cloud = torch.stack(
        (x[:, None].expand(pixels), y.expand(pixels), uniform(0.75, 1.15, *pixels)), dim=-1
    )
    position = torch.stack((uniform(0, 0.5, _SAMPLES), uniform(-0.3, 0.3, _SAMPLES)), dim=-1)
    rotation = torch.nn.functional.normalize(torch.randn(_SAMPLES, 4, generator=generator))
    pose = torch.cat((position, uniform(0.75, 1.2, _SAMPLES, 1), rotation), dim=-1)
    order = (torch.arange(_SAMPLES) % len(TASKS)).argsort(stable=True)
    task, sample = order % len(TASKS), order // len(TASKS)
    return Batch(
        inputs=Inputs(
            rgb=uniform(0, 1, *pixels, 3),
            cloud=cloud,
            gripper_pose=pose,
            gripper_open=torch.ones(_SAMPLES),
            task=task,
            stage=sample % _STAGES,
        ),
        action=torch.cat((pose.flip(0), torch.ones(_SAMPLES, 1)), dim=-1),
        symmetry=torch.ones(_SAMPLES, dtype=torch.int64),
        jitter=0.01 * torch.randn(_SAMPLES, 3, generator=generator),
        sample=sample,
        importance=torch.ones(_SAMPLES),
    )
