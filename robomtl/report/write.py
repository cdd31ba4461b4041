"""Gathering what a report shows, and writing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tyro.conf import Positional

from robomtl import envs
from robomtl.agents import KeyframePolicy
from robomtl.data import DemoKey
from robomtl.data.atomic import write_atomically
from robomtl.evaluation import EPISODES_PER_SEED, FIRST_SEED, newest_summary, policy_path
from robomtl.exceptions import RunFolderError
from robomtl.lines import read_lines
from robomtl.outputs import check_file
from robomtl.parallel import cores, parallel
from robomtl.progress import console, progress_bar
from robomtl.report.curves import curves
from robomtl.report.page import render_page
from robomtl.report.showcase import make_showcase
from robomtl.versions import versions
from robomtl.written import read_json


@dataclass(frozen=True)
class ReportConfig:
    """Which run to report."""

    run: Positional[Path]
    """Folder of a training run."""
    out: Path | None = None
    """The page to write; RUN/report.html unless given."""
    look: Literal["pretty", "fast"] = "pretty"
    """Look of the pictures; "fast" takes a tenth of the time."""
    workers: int = field(default_factory=cores)
    """Processes that film the rollouts."""


def report(config: ReportConfig) -> Path:
    """Writes the report of a run, from its files and from fresh rollouts of its policy.

    Returns:
        The page.

    Raises:
        RunFolderError: The run has no policy or no metrics, or one of its files is damaged.
        ExperimentError: `out` cannot be a file.
        JobError: A rollout failed; the message names its task.
    """
    path = config.out or config.run / "report.html"
    check_file(path)
    policy_file = policy_path(config.run)
    policy = KeyframePolicy.load(policy_file)
    settings = read_json(config.run / "config.json")
    steps, losses, weights = _history(config.run / "metrics.jsonl")
    summary = newest_summary(config.run)
    filmed = _filmed(policy.tasks, summary)
    showcases = []
    with progress_bar("films", len(filmed)) as advance:
        for showcase in parallel(
            partial(make_showcase, policy_file, config.look), filmed, config.workers
        ):
            showcases.append(showcase)
            advance()
    html = render_page(
        run=str(config.run),
        summary=summary,
        curves=_curves(steps, losses, weights),
        policy_tasks=policy.tasks,
        tasks=showcases,
        cameras=policy.cameras,
        versions=versions(),
        config=settings,
    )
    write_atomically(path, html.encode())
    console.print(f"Report: {path} ({len(html) / 1e6:.1f} MB)", soft_wrap=True)
    return path


def _filmed(tasks: Sequence[str], summary: Mapping[str, Any] | None) -> tuple[DemoKey, ...]:
    """The first evaluation episode of each task that can be filmed.

    Those are the tabletop's, unless the policy acts in another simulator. A task that was not
    evaluated has the first episode that `robomtl evaluate` would play by default.
    """
    if summary is not None and summary.get("simulator", "tabletop") != "tabletop":
        return ()
    return tuple(_first_episode(task, summary) for task in tasks if task in envs.TASKS)


def _first_episode(task: str, summary: Mapping[str, Any] | None) -> DemoKey:
    if summary is None or task not in summary["success"]:
        return DemoKey(task, 0, FIRST_SEED)
    first = FIRST_SEED + EPISODES_PER_SEED * int(summary["seed"])
    return DemoKey(task, int(summary["variation"]), first)


def _history(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Training steps (N,), each task's loss and each task's weight (N,) from a run's metrics."""
    if not path.is_file():
        raise RunFolderError(f"{path} is missing: {path.parent} is not a run of `robomtl train`")
    lines = read_lines(path)
    tasks = lines[-1]["loss"] if lines else ()
    losses, weights = (
        {task: np.array([line[name][task] for line in lines]) for task in tasks}
        for name in ("loss", "weight")
    )
    return np.array([line["iteration"] for line in lines]), losses, weights


def _curves(
    steps: np.ndarray, losses: dict[str, np.ndarray], weights: dict[str, np.ndarray]
) -> list[str]:
    """Curves of the losses, and of the weights unless they never change."""
    drawn = [curves(steps, losses, "loss", logarithmic=True)]
    if any(np.ptp(values) > 0 for values in weights.values()):
        drawn.append(curves(steps, weights, "weight of the task", logarithmic=False))
    return drawn
