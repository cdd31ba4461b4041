"""Methods compared: trained by the same protocol, from the same seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from rich.table import Table
from tyro.conf import Suppress, arg

from robomtl.data.exceptions import DatasetInUseError
from robomtl.distinct import check_distinct
from robomtl.exceptions import ExperimentError, RunFolderError
from robomtl.outputs import check_folder
from robomtl.progress import console
from robomtl.rl.aggregate import AGGREGATES, bootstrap_interval
from robomtl.rl.card import card_line, card_table
from robomtl.rl.config import RLTrainConfig, check_training
from robomtl.rl.outcome import Outcome, joined, outcome_of
from robomtl.rl.plots import draw_conflict, draw_success, draw_tasks
from robomtl.rl.tables import show
from robomtl.rl.training import check_run, train_rl
from robomtl.seeds import check_seeds
from robomtl.written import write_json

SINGLE = "single_task"


@dataclass(frozen=True, kw_only=True)
class SharedRLTrainConfig(RLTrainConfig):
    """What runs of several methods and seeds have in common; the two are no options of it."""

    method: Suppress[str] = "equal"
    seed: Suppress[int] = 0


@dataclass(frozen=True)
class RLCompareConfig:
    """Which methods to compare, how often, and where to keep the runs."""

    out: Path = Path("runs/rl/comparison")
    """Folder of all runs; the same folder again continues, or adds methods and seeds. A run is in
    runs/METHOD-SEED there, wherever `robomtl rl train --out` trained it."""
    methods: tuple[str, ...] = ("equal", "aligned_mtl")
    """Multi-task methods, each trained on all tasks; "single_task" has a network for each task."""
    seeds: tuple[int, ...] = (0,)
    """Seeds to train each method with."""
    training: Annotated[SharedRLTrainConfig, arg(name="")] = field(
        default_factory=SharedRLTrainConfig
    )
    """What is the same for all of them: its method and seed are not used."""


def compare_rl(config: RLCompareConfig) -> dict[str, Any]:
    """Train what is missing; write comparison.json, success.png, tasks.png and conflict.png.

    The last is there if tasks shared parameters: else their gradients have no conflict.
    Runs that another process is training are left to it.

    Returns:
        What comparison.json holds: the protocol "card", "tasks", and for each of "methods" its
        "final" and "max_over_time" success, curves and the medians of gradient conflict.

    Raises:
        ExperimentError: No method or no seed, one named twice, a negative seed, or what `train_rl`
            refuses.
        RunFolderError: Another process has not finished a run yet.
        CheckpointError: The folder holds runs with other settings; nothing is trained then.
        MethodError: There is no such method, and the message lists those there are.
        SettingError: A method cannot train the learner; nothing is trained then.
    """
    if not config.methods or not config.seeds:
        raise ExperimentError("name at least one method and one seed to compare")
    check_distinct("methods", config.methods)
    check_seeds(config.seeds)
    check_folder(config.out)
    card = config.training.card
    for method in config.methods:
        for run in _runs(config, card, method, max(config.seeds)).values():
            check_training(run)
    for seed, method in product(config.seeds, config.methods):
        for folder, run in _runs(config, card, method, seed).items():
            check_run(run, folder)
    console.print(card_table(card))
    busy = [
        f"{method}-{seed}"
        # Seed by seed, so that an interrupted comparison has compared something.
        for seed, method in product(config.seeds, config.methods)
        if not _train(config, card, method, seed)
    ]
    if busy:
        raise RunFolderError(
            f"other processes are training {', '.join(busy)}: run the same command again when "
            "they have finished"
        )
    outcomes = {
        method: [_outcome(config, card, method, seed) for seed in config.seeds]
        for method in config.methods
    }
    comparison = {"card": card, "tasks": card["tasks"], "seeds": list(config.seeds)} | {
        "methods": {m: _summary(each, card["aggregate"]) for m, each in outcomes.items()}
    }
    write_json(config.out / "comparison.json", comparison)
    line = card_line(card)
    draw_success(config.out / "success.png", outcomes, card["aggregate"], line)
    draw_tasks(config.out / "tasks.png", outcomes, line)
    if any(one.conflict for each in outcomes.values() for one in each):
        draw_conflict(config.out / "conflict.png", outcomes, line)
    console.print(comparison_table(comparison))
    show(task_table(comparison), card)
    return comparison


def _runs(
    config: RLCompareConfig, card: Mapping[str, Any], method: str, seed: int
) -> dict[Path, RLTrainConfig]:
    """The trainings that a method and seed consist of, by folder: one, or one for each task."""
    folder = config.out / "runs" / f"{method}-{seed}"
    if method != SINGLE:
        return {folder: replace(config.training, method=method, seed=seed)}
    given = config.training.overrides
    # Numbers that are of all tasks together become those of one task.
    alone = replace(
        given,
        steps=given.steps and card["steps_per_task"],
        evaluation_interval=given.evaluation_interval and card["evaluation_interval"],
    )
    return {
        folder / task: replace(
            config.training, method="equal", seed=seed, tasks=(task,), overrides=alone
        )
        for task in card["tasks"]
    }


def _train(config: RLCompareConfig, card: Mapping[str, Any], method: str, seed: int) -> bool:
    """Train what is missing of a method and seed; False if another process is at it."""
    finished = True
    for folder, training in _runs(config, card, method, seed).items():
        try:
            train_rl(training, folder)
        except DatasetInUseError:
            finished = False
    return finished


def _outcome(config: RLCompareConfig, card: Mapping[str, Any], method: str, seed: int) -> Outcome:
    found = [outcome_of(folder) for folder in _runs(config, card, method, seed)]
    return found[0] if len(found) == 1 else joined(found)


def _summary(outcomes: Sequence[Outcome], aggregate: str) -> dict[str, Any]:
    """What comparison.json says about a method."""
    first = outcomes[0]
    finals = np.array([one.final for one in outcomes])  # (S, T)
    curves = np.array([one.success.mean(1) for one in outcomes])  # (S, N)
    highest = int(curves.mean(0).argmax())
    seeds = finals.mean(1)
    return {
        "final": {
            **{name: float(statistic(seeds)) for name, statistic in AGGREGATES.items()},
            "interval": _interval(seeds, aggregate),
            "seeds": seeds.tolist(),
            "tasks": dict(zip(first.tasks, finals.mean(0).tolist(), strict=True)),
        },
        "max_over_time": {
            "mean": float(curves.mean(0)[highest]),
            "interval": _interval(curves[:, highest], "mean"),
            "step": int(first.steps[highest]),
            "seeds": curves[:, highest].tolist(),
        },
        "curve": {"steps": first.steps.tolist(), "seeds": curves.tolist()},
        "conflict": {
            name: float(np.nanmedian(np.concatenate([one.conflict[name][1] for one in outcomes])))
            for name in first.conflict
        },
    }


def _interval(seeds: np.ndarray, aggregate: str) -> list[float] | None:
    found = bootstrap_interval(seeds, aggregate)
    return None if found is None else [float(end) for end in found]


def comparison_table(comparison: Mapping[str, Any]) -> Table:
    """Return final success and the highest over time, side by side; the best is bold."""
    card, methods = comparison["card"], comparison["methods"]
    name = card["aggregate"]
    count = len(comparison["seeds"])
    table = Table(title=f"Success, {count} seed{'s' if count > 1 else ''}")
    table.add_column("method", no_wrap=True)
    for column in (
        f"final ({name})", "95 % interval", "seed by seed",
        "max over time (of the mean)", "95 % interval", "at step",
    ):  # fmt: skip
        table.add_column(column, justify="right")
    best_final = max(m["final"][name] for m in methods.values())
    best_max = max(m["max_over_time"]["mean"] for m in methods.values())
    for method, found in methods.items():
        final, highest = found["final"], found["max_over_time"]
        table.add_row(
            method,
            _bold(final[name], best_final),
            _ends(final["interval"]),
            " ".join(f"{value:.3f}" for value in final["seeds"]),
            _bold(highest["mean"], best_max),
            _ends(highest["interval"]),
            f"{highest['step']:,}",
        )
    return table


def task_table(comparison: Mapping[str, Any]) -> Table:
    """Return each task's final success, the mean over seeds; the best of a row is bold."""
    methods = comparison["methods"]
    table = Table("task", title="Final success by task, mean over seeds")
    for method in methods:
        table.add_column(method, justify="right")
    for task in comparison["tasks"]:
        rates = [found["final"]["tasks"][task] for found in methods.values()]
        table.add_row(task, *(_bold(rate, max(rates), 2) for rate in rates))
    return table


def _bold(value: float, best: float, digits: int = 3) -> str:
    text = f"{value:.{digits}f}"
    return f"[bold]{text}[/bold]" if value == best else text


def _ends(interval: Sequence[float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.3f} – {interval[1]:.3f}"
