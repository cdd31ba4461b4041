"""Methods compared on scenes: trained alike, and measured against single-task networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from rich.table import Table
from tyro.conf import arg

from robomtl.agents.dense import METRICS, delta_mtl, relative_improvement
from robomtl.agents.dense.metrics import Values
from robomtl.distinct import check_distinct
from robomtl.exceptions import ExperimentError
from robomtl.lines import read_lines
from robomtl.methods import learns_weights
from robomtl.progress import console
from robomtl.scenes.plan import Plan, SharedSceneTrainConfig
from robomtl.scenes.plots import WeightCurves, draw_improvements, draw_weights
from robomtl.seeds import check_seeds
from robomtl.written import write_json

SINGLE = "single-task"


@dataclass(frozen=True)
class SceneCompareConfig:
    """Which methods to compare, how often, and where to keep the runs."""

    out: Path = Path("runs/scenes/comparison")
    """Folder of all runs; the same folder again continues, or adds methods and seeds."""
    methods: tuple[str, ...] = ("equal",)
    """Multi-task methods, each trained on all tasks. For those of SAAL, tasks get branches of their
    own and self-auxiliaries: all of them for saal_w, for the others those that an enumeration of
    pairs of tasks finds helpful."""
    seeds: tuple[int, ...] = (0,)
    """Seeds to train each method with; metrics are means over them."""
    training: Annotated[SharedSceneTrainConfig, arg(name="")] = field(
        default_factory=SharedSceneTrainConfig
    )
    """What is the same for all of them: its method and seed are not used."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came out, on the test images.

    Attributes:
        tasks: The primary tasks, which alone are compared.
        values: Method, `SINGLE` included, to the metrics of the primary tasks, means over seeds.
        improvements: Method to task to `relative_improvement` over `SINGLE` (SAAL, Eq. 12).
        delta: Method to Delta_MTL over all metrics (SAAL, Eq. 12).
        delta_first: Method to Delta_MTL over each task's first metric (Auto-lambda, Eq. 8).
        weights: Method to the task weights at the end of training, of each seed: means over the
            steps of the last line that the run logged.
    """

    tasks: tuple[str, ...]
    values: dict[str, Values]
    improvements: dict[str, dict[str, float]]
    delta: dict[str, float]
    delta_first: dict[str, float]
    weights: dict[str, list[dict[str, float]]]


def compare_scenes(config: SceneCompareConfig) -> Comparison:
    """Train what is missing, then write comparison.json, weights.png and improvements.png.

    Of the weights, the first seed's are drawn.

    The single-task networks have the architecture of all the others and their training, with one
    task each. They are trained for the primary tasks.

    Numbers that cannot be told, such as what is gained over an error of 0, are null in the file.

    Raises:
        ExperimentError: No method or no seed, one that is there twice, a negative seed, weights or
            a rate for them that no method would get, or what `check_training` refuses.
        DataError: The scenes cannot be read.
        AgentError: There is no such task, or there are too few images for a batch.
        CheckpointError: The folder holds runs with other settings. That is found before anything is
            trained, but for settings that follow from other runs.
        MethodError: There is no such method, and the message lists those there are; or it lacks
            tasks or weights that it needs.
    """
    if not config.methods or not config.seeds:
        raise ExperimentError("name at least one method and one seed to compare")
    check_distinct("methods", config.methods)
    check_seeds(config.seeds)
    plan = Plan(config.training, config.out)
    for method in config.methods:
        plan.check(method, config.seeds)
    _check_use(config)
    plan.check_runs(plan.only((task,), seed) for task in plan.tasks for seed in config.seeds)
    runs = {SINGLE: [plan.alone(seed) for seed in config.seeds]}
    for method in config.methods:
        runs[method] = [plan.run(method, seed) for seed in config.seeds]
    curves = {m: [_curves(plan.folder(m, s)) for s in config.seeds] for m in config.methods}
    comparison = _compare(runs, plan.tasks, curves)
    write_json(config.out / "comparison.json", asdict(comparison))
    draw_weights(config.out / "weights.png", {m: each[0] for m, each in curves.items()})
    gains = {m: gain for m, gain in comparison.improvements.items() if m != SINGLE}
    draw_improvements(config.out / "improvements.png", gains, comparison.delta)
    for table in _tables(comparison):
        console.print(table)
    return comparison


def _check_use(config: SceneCompareConfig) -> None:
    """Refuse weights, and a rate for learned ones, that no method would get."""
    names, training = list(config.methods), config.training
    if training.weights and not any("fixed" in name.split("+") for name in names):
        raise ExperimentError(f"weights are given to 'fixed', which is not among {names}")
    if training.weight_rate is not None and not any(map(learns_weights, names)):
        raise ExperimentError(f"none of {names} learns weights, so weight_rate is for none")


def _compare(
    runs: dict[str, list[Values]], tasks: Sequence[str], curves: dict[str, list[WeightCurves]]
) -> Comparison:
    values = {
        method: {
            task: {name: float(np.mean([v[task][name] for v in each])) for name in METRICS[task]}
            for task in tasks
        }
        for method, each in runs.items()
    }
    baseline = values[SINGLE]
    return Comparison(
        tasks=tuple(tasks),
        values=values,
        improvements={
            method: {task: relative_improvement(task, v[task], baseline[task]) for task in tasks}
            for method, v in values.items()
        },
        delta={method: delta_mtl(v, baseline, tasks) for method, v in values.items()},
        delta_first={
            method: delta_mtl(v, baseline, tasks, which="first") for method, v in values.items()
        },
        weights={
            method: [{task: float(w[-1]) for task, w in run.weights.items()} for run in each]
            for method, each in curves.items()
        },
    )


def _curves(folder: Path) -> WeightCurves:
    """The weights that a run wrote down."""
    lines = read_lines(folder / "metrics.jsonl")
    return WeightCurves(
        np.array([line["iteration"] for line in lines]),
        {task: np.array([line["weight"][task] for line in lines]) for task in lines[0]["weight"]},
    )


def _tables(comparison: Comparison) -> Iterator[Table]:
    """A table of each task's metrics, and one of what was gained; the best of a column is bold."""
    methods = list(comparison.values)
    for task in comparison.tasks:
        columns = {
            f"{name} {'↑' if sign > 0 else '↓'}": _cells(
                [comparison.values[m][task][name] for m in methods], sign, "{:.4f}"
            )
            for name, sign in METRICS[task].items()
        }
        yield _table(f"Test images: {task}", methods, columns)
    gains: dict[str, list[float]] = {
        f"Δ {task}": [comparison.improvements[m][task] for m in methods]
        for task in comparison.tasks
    }
    gains["Δ MTL"] = [comparison.delta[m] for m in methods]
    gains["Δ MTL, first metrics"] = [comparison.delta_first[m] for m in methods]
    columns = {name: _cells(values, 1, "{:+.2%}") for name, values in gains.items()}
    yield _table("Better than single-task networks, on test images", methods, columns)
    ends = Table("method", "task", "weights at the end, seed by seed", title="Task weights")
    for method, each in comparison.weights.items():
        # By seed, SAAL may find other transfers helpful.
        for task in dict.fromkeys(task for weights in each for task in weights):
            cells = (f"{weights[task]:.3f}" if task in weights else "–" for weights in each)
            ends.add_row(method, task, "  ".join(cells))
    yield ends


def _table(title: str, methods: Sequence[str], columns: Mapping[str, list[str]]) -> Table:
    table = Table(title=title)
    table.add_column("method", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", overflow="fold")
    for method, *cells in zip(methods, *columns.values(), strict=True):
        table.add_row(method, *cells)
    return table


def _cells(values: Sequence[float], sign: int, form: str) -> list[str]:
    best = max((sign * value for value in values if not math.isnan(value)), default=math.nan)
    return [
        f"[bold]{form.format(value)}[/bold]" if sign * value == best else form.format(value)
        for value in values
    ]
