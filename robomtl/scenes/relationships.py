"""How tasks on scenes help each other: cheap estimates against training tasks in pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations, permutations
from pathlib import Path
from typing import Annotated

import torch
from rich.table import Table
from torch import Tensor
from tyro.conf import arg

from robomtl.agents.dense import TASKS
from robomtl.checkpoint import load_checkpoint
from robomtl.exceptions import ExperimentError
from robomtl.lines import read_lines
from robomtl.methods.rank_correlation import rank_correlation
from robomtl.methods.relationships import (
    Affinities,
    Affinity,
    feature_similarity,
    from_auxiliary_runs,
    from_self_auxiliaries,
)
from robomtl.progress import console
from robomtl.scenes.plan import Plan, Run, SharedSceneTrainConfig, quality
from robomtl.scenes.plots import RelationshipPanel, draw_relationships
from robomtl.scenes.training import by_name, check_training, checkpoint_of, train_scenes
from robomtl.seeds import check_seeds
from robomtl.written import write_json

ACTUAL = "trained in pairs"
ANGLE = "gradient angle"

#: Each measure's format; less is better of the angle alone.
FORMS = {
    ACTUAL: "{:+.1%}",
    "look-ahead, training": "{:+.1e}",
    "look-ahead, validation": "{:+.1e}",
    ANGLE: "{:.1f}°",
    "feature similarity": "{:+.1%}",
    "learned lambda": "{:.4f}",
    "learned omega": "{:.4f}",
}


def _training() -> SharedSceneTrainConfig:
    # With noise, each target has three sources to rank. The rate is both papers' for images.
    return SharedSceneTrainConfig(
        tasks=TASKS,
        primary=tuple(task for task in TASKS if task != "noise"),
        iterations=1000,
        weight_rate=1e-4,
        affinity_interval=5,
    )


@dataclass(frozen=True)
class SceneRelationshipsConfig:
    """Which tasks to relate, by how long trainings, and where to keep the runs."""

    out: Path = Path("runs/scenes/relationships")
    """Folder of all runs; the same folder again continues, or adds seeds."""
    seeds: tuple[int, ...] = (0,)
    """Seeds to train everything with; relationships are means over them."""
    training: Annotated[SharedSceneTrainConfig, arg(name="")] = field(default_factory=_training)
    """What is the same for all runs: its method and seed are not used. Correlations are of its
    primary tasks as targets, with all tasks as sources; only the run that looks ahead measures
    affinities."""


@dataclass(frozen=True, kw_only=True)
class Relationships:
    """What sources do for targets by several measures, and how these agree.

    Attributes:
        tasks: Names of the T tasks.
        matrices: Measure, a key of `FORMS`, to relationship (T, T) float64 [source, target].
            `ACTUAL` is the relative gain of the target's first metric when trained along with the
            source, on test images. Of the estimates, which see no test images, "feature
            similarity" is the relative gain over the target trained alone.
        correlations: Estimate to the mean rank correlation with `ACTUAL` over targets, SAAL's
            Table 5; NaN where it has no meaning.
        by_target: Estimate to target to its own rank correlation.
    """

    tasks: tuple[str, ...]
    matrices: dict[str, Tensor]
    correlations: dict[str, float]
    by_target: dict[str, dict[str, float]]


def scene_relationships(config: SceneRelationshipsConfig) -> Relationships:
    """Train what is missing, then write relationships.json and relationships.png.

    SAAL, section 4.4 (Graffeuille et al. 2024), with Auto-lambda's weights besides. For T tasks
    and one seed these are T (T + 1) / 2 runs of single tasks and pairs, one of all tasks that
    looks ahead, T (T - 1) transfers, T runs of Auto-lambda with one primary task each, and one of
    SAAL_w: 28 for four tasks. All have the same number of iterations. Learned weights are those of
    the last line that a run logged, a mean over the steps since the line before. In the file, a
    correlation that has no meaning is null.

    Our choices: the paper's Figure 3 averages all metrics of a task, and here the first alone
    counts, everywhere; and looks ahead go by the first learning rate all the time, where the
    paper's code takes that of the moment, which falls to zero.

    Raises:
        ExperimentError: Fewer than three tasks, no seed, one that is negative or there twice, no
            `affinity_interval`, given weights, or what `check_training` refuses.
        DataError: The scenes cannot be read.
        CheckpointError: The folder holds runs with other settings. That is found before anything is
            trained, but for settings that follow from other runs.
    """
    training = config.training
    targets = training.primary or training.tasks
    _check(config)
    plan = Plan(replace(training, primary=(), affinity_interval=None), config.out)
    plan.check("saal_w", config.seeds)
    for seed in config.seeds:
        plan.check_runs(_runs(plan, seed, training))
    runs = [_measure(plan, seed, training) for seed in config.seeds]
    matrices = {name: torch.stack([run[name] for run in runs]).mean(dim=0) for name in FORMS}
    found = compare_relationships(training.tasks, targets, matrices)
    _write(config.out / "relationships.json", found)
    panels = [
        RelationshipPanel(
            title=_title(name, found), matrix=matrix.numpy(), form=FORMS[name], sign=_sign(name)
        )
        for name, matrix in found.matrices.items()
    ]
    draw_relationships(config.out / "relationships.png", found.tasks, panels)
    console.print(_table(found))
    return found


def compare_relationships(
    tasks: Sequence[str], targets: Sequence[str], matrices: dict[str, Tensor]
) -> Relationships:
    """Return relationships with the rank correlation of each measure and `ACTUAL`.

    Args:
        tasks: Names of the T tasks.
        targets: Those of them whose sources are ranked.
        matrices: Measure to relationship (T, T), of which `ACTUAL` is one.
    """
    estimates = {name: _sign(name) * m for name, m in matrices.items() if name != ACTUAL}

    def correlation(estimate: Tensor, among: Sequence[str]) -> float:
        counted = torch.tensor([task in among for task in tasks])
        return rank_correlation(estimate, matrices[ACTUAL].where(counted, torch.nan))

    return Relationships(
        tasks=tuple(tasks),
        matrices=matrices,
        correlations={name: correlation(e, targets) for name, e in estimates.items()},
        by_target={
            name: {t: correlation(e, [t]) for t in targets} for name, e in estimates.items()
        },
    )


def _check(config: SceneRelationshipsConfig) -> None:
    tasks = config.training.tasks
    check_training(config.training)
    if len(tasks) < 3:
        raise ExperimentError(f"to rank sources takes three tasks at least, not {list(tasks)}")
    if not config.seeds or config.training.affinity_interval is None:
        raise ExperimentError("give at least one seed, and an affinity_interval")
    check_seeds(config.seeds)
    if config.training.weights:
        raise ExperimentError("no run that relates tasks uses given weights: leave `weights` out")


def _runs(plan: Plan, seed: int, config: SharedSceneTrainConfig) -> Iterator[Run]:
    """All runs with one seed but that of SAAL_w."""
    for tasks in (*zip(plan.tasks), *combinations(plan.tasks, 2)):
        yield plan.only(tasks, seed)
    yield _look_ahead(plan, seed, config.affinity_interval)
    for source, target in permutations(plan.tasks, 2):
        yield plan.transferred(source, target, seed)
    for task in plan.tasks:
        yield _auxiliary_run(plan, seed, task, config.weight_rate)


def _look_ahead(plan: Plan, seed: int, interval: int | None) -> Run:
    """The run in which all tasks share the encoder, and affinities are measured."""
    training = replace(plan.shared(plan.tasks, seed), affinity_interval=interval)
    return training, plan.folder("look-ahead", seed)


def _auxiliary_run(plan: Plan, seed: int, target: str, rate: float | None) -> Run:
    """The run of Auto-lambda in which only one task matters."""
    training = replace(
        plan.shared(plan.tasks, seed), method="auto_lambda", primary=(target,), weight_rate=rate
    )
    return training, plan.folder(f"auto_lambda-for-{target}", seed)


def _measure(plan: Plan, seed: int, config: SharedSceneTrainConfig) -> dict[str, Tensor]:
    """Each measure's relationship, by runs with one seed."""
    actual = plan.gain(seed, "test")
    affinity = _affinity(plan, seed, config.affinity_interval)
    similarity = feature_similarity(plan.tasks, partial(_transferred, plan, seed))
    weights = {
        task: _auxiliary_weights(plan, seed, task, config.weight_rate) for task in plan.tasks
    }
    plan.run("saal_w", seed)
    omega = _last_weights(plan.folder("saal_w", seed))
    found = (
        actual,
        affinity.train,
        affinity.validation,
        affinity.angles.rad2deg(),
        similarity,
        from_auxiliary_runs(weights, plan.tasks),
        from_self_auxiliaries(omega, plan.tasks),
    )
    return dict(zip(FORMS, found, strict=True))


def _affinity(plan: Plan, seed: int, interval: int | None) -> Affinity:
    """Medians over the run that looks ahead."""
    training, folder = _look_ahead(plan, seed, interval)
    train_scenes(training, folder)
    affinities = Affinities(plan.tasks)
    affinities.load_state_dict(load_checkpoint(checkpoint_of(folder))["affinities"])
    return affinities.median()


def _transferred(plan: Plan, seed: int, source: str, target: str) -> float:
    """What reading the target from what the source has learned gains over learning it alone."""
    values = plan.transfer(source, target, seed)["validation"][target]
    alone = plan.performance((target,), seed, "validation")[target]
    return (quality(target, values) - alone) / abs(alone)


def _auxiliary_weights(plan: Plan, seed: int, target: str, rate: float | None) -> dict[str, float]:
    """What Auto-lambda weighs all tasks with when only one of them matters."""
    training, folder = _auxiliary_run(plan, seed, target, rate)
    train_scenes(training, folder)
    return _last_weights(folder)


def _last_weights(folder: Path) -> dict[str, float]:
    weights: dict[str, float] = read_lines(folder / "metrics.jsonl")[-1]["weight"]
    return weights


def _sign(name: str) -> int:
    return -1 if name == ANGLE else 1


def _title(name: str, found: Relationships) -> str:
    return name if name == ACTUAL else f"{name}\nρ = {found.correlations[name]:+.2f}"


def _write(path: Path, found: Relationships) -> None:
    content = {
        "relationships": {name: by_name(m, found.tasks) for name, m in found.matrices.items()},
        "correlations": found.correlations,
        "by_target": found.by_target,
    }
    write_json(path, content)


def _table(found: Relationships) -> Table:
    """Rank correlations, of which the best is bold."""
    table = Table("measure", title=f"Rank correlation with tasks {ACTUAL}")
    table.add_column("mean", justify="right")
    for target in next(iter(found.by_target.values())):
        table.add_column(f"for {target}", justify="right")
    known = [mean for mean in found.correlations.values() if not math.isnan(mean)]
    best = max(known, default=math.nan)
    for name, mean in found.correlations.items():
        style = "bold" if mean == best else None
        cells = [mean, *found.by_target[name].values()]
        table.add_row(name, *(f"{value:+.2f}" for value in cells), style=style)
    return table
