"""The command `robomtl toy`: methods on a problem of two losses and two parameters."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from robomtl import methods
from robomtl.data.atomic import write_atomically
from robomtl.exceptions import ExperimentError
from robomtl.outputs import check_folder
from robomtl.parallel import cores, parallel
from robomtl.progress import console, progress_bar
from robomtl.rates import check_rates
from robomtl.toy.optimum import optimum, pareto_front
from robomtl.toy.plot import plot
from robomtl.toy.problem import STARTS, losses
from robomtl.toy.trajectory import Trajectory, Walk, unsuitable, walk

REACHED = 0.1
"""How near to the optimum a trajectory must end to have reached it; the front is 14 long."""

_PAIRS = ("dwa+cagrad", "rlw_normal+aligned_mtl", "auto_lambda+aligned_mtl")


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    """Which methods to watch, for how long."""

    methods: tuple[str, ...] = ("equal", "pcgrad", "mgda", "imtl_g", "nash_mtl", "aligned_mtl")
    """Methods, also as "weighting+aggregator"; "all" is every one that applies, and some pairs."""
    out: Path = Path("runs/toy")
    """Folder for the trajectories and the picture."""
    steps: int = 35_000
    """Steps from each starting point; as many as Nash-MTL and Aligned-MTL take."""
    learning_rate: float = 1e-3
    """Adam's learning rate; that of CAGrad, Nash-MTL and Aligned-MTL."""
    workers: int = field(default_factory=cores)
    """Processes to use; the results do not depend on their number."""


def toy(config: ToyConfig) -> dict[str, list[Trajectory]]:
    """Run methods from all starting points and return their trajectories.

    `out` gets trajectories.npz, an array "method/number of the start" for each, and toy.png. A
    table says where each ended: how far from the optimum of equal weights.

    Raises:
        ExperimentError: A number that makes no sense, no method that suits the problem, or a file
            in place of the folder.
        MethodError: There is no such method; the message lists those there are.
    """
    if not config.methods:
        raise ExperimentError("name at least one method, or all")
    if config.steps < 1:
        raise ExperimentError(f"steps must be at least 1, not {config.steps}")
    check_rates(config, "learning_rate")
    check_folder(config.out)
    everything = (*methods.names(), *_PAIRS)
    names = list(dict.fromkeys(everything if config.methods == ("all",) else config.methods))
    refused = unsuitable(names, STARTS[0])
    reasons = [f"{name} does not apply: {reason}" for name, reason in refused.items()]
    if len(refused) == len(names):
        raise ExperimentError(" ".join(reasons))
    for reason in reasons:
        console.print(escape(reason))
    found = _walk([name for name in names if name not in refused], config)
    _save(found, config.out / "trajectories.npz")
    best = optimum(torch.tensor([[0.5, 0.5]])).numpy()[0]
    console.print(_table(found, best))
    paths = {name: [walked.points for walked in group] for name, group in found.items()}
    plot(paths, pareto_front().numpy(), best, config.out / "toy.png")
    return found


def _walk(names: Sequence[str], config: ToyConfig) -> dict[str, list[Trajectory]]:
    jobs = [
        Walk(method=name, start=start, steps=config.steps, learning_rate=config.learning_rate)
        for name in names
        for start in STARTS
    ]
    found: dict[str, list[Trajectory]] = {name: [] for name in names}
    with progress_bar("toy", len(jobs)) as advance:
        for job, trajectory in zip(jobs, parallel(walk, jobs, config.workers), strict=True):
            found[job.method].append(trajectory)
            advance(str(job))
    return found


def _save(found: Mapping[str, Sequence[Trajectory]], path: Path) -> None:
    content = io.BytesIO()
    arrays: dict[str, NDArray[np.float64]] = {
        f"{name}/{number}": walked.points
        for name, group in found.items()
        for number, walked in enumerate(group)
    }
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())


def _table(found: Mapping[str, Sequence[Trajectory]], best: NDArray[np.float64]) -> Table:
    lowest = _mean_loss(best)
    table = Table(title=f"optimum ({best[0]:.2f}, {best[1]:.2f}), mean loss {lowest:.3f}")
    table.add_column("method", overflow="fold")
    table.add_column("from")
    for title in ("L1", "L2", "mean above optimum", "distance"):
        table.add_column(title, justify="right")
    table.add_column("reached")
    for name, group in found.items():
        for start, walked in zip(STARTS, group, strict=True):
            end = walked.points[-1]
            first, second = losses(torch.from_numpy(end)).tolist()
            distance = float(np.linalg.norm(end - best))
            table.add_row(
                escape(name) if start == STARTS[0] else "",
                str(start),
                f"{first:.3f}",
                f"{second:.3f}",
                f"{_mean_loss(end) - lowest:.4f}",
                f"{distance:.3f}",
                escape(walked.stopped) or ("yes" if distance < REACHED else "no"),
                end_section=start == STARTS[-1],
            )
    return table


def _mean_loss(point: NDArray[np.float64]) -> float:
    return float(losses(torch.from_numpy(point)).mean())
