"""Pictures of comparisons: success over time, of each task, and gradient conflict."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from robomtl.data.atomic import write_atomically
from robomtl.report.curves import COLOURS
from robomtl.rl.aggregate import AGGREGATES, bootstrap_interval
from robomtl.rl.outcome import MEASURES, PARTS, Outcome

Outcomes = Mapping[str, Sequence[Outcome]]

_COLUMNS = 5
_BINS = 24


def draw_success(path: Path, outcomes: Outcomes, aggregate: str, caption: str) -> None:
    """Write a PNG with the mean success over tasks of each method during training.

    Bands are 95 % bootstrap intervals over seeds.

    Args:
        path: The file.
        outcomes: Method to its seeds' outcomes.
        aggregate: What curves are over seeds, one of `AGGREGATES`.
        caption: What stands below.
    """
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for (method, each), colour in zip(outcomes.items(), cycle(COLOURS), strict=False):
        curves = np.array([one.success.mean(1) for one in each])
        steps = each[0].steps
        marker = _marker(steps)
        middle = AGGREGATES[aggregate](curves, axis=0)
        axes.plot(steps, middle, color=colour, lw=1.6, marker=marker, label=method)
        band = bootstrap_interval(curves, aggregate)
        if band is not None:
            axes.fill_between(steps, *band, color=colour, alpha=0.15, linewidth=0)
    _decorate(axes, "environment steps", f"success ({aggregate} over seeds)")
    axes.set_ylim(-0.02, 1.02)
    figure.legend(loc="outside right center", frameon=False)
    _save(path, figure, caption)


def draw_tasks(path: Path, outcomes: Outcomes, caption: str) -> None:
    """Write a PNG with a panel for each task: its success during training, means over seeds."""
    tasks = next(iter(outcomes.values()))[0].tasks
    columns = min(_COLUMNS, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = Figure(figsize=(2.6 * columns + 1.6, 2.1 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for panel, task in zip(panels, tasks, strict=False):
        for (method, each), colour in zip(outcomes.items(), cycle(COLOURS), strict=False):
            mean = np.mean([one.success[:, one.tasks.index(task)] for one in each], axis=0)
            steps = each[0].steps
            panel.plot(steps, mean, color=colour, lw=1.3, marker=_marker(steps), label=method)
        _decorate(panel)
        panel.set_title(task, fontsize=9)
        panel.set_ylim(-0.03, 1.03)
    for panel in panels[len(tasks) :]:
        panel.set_axis_off()
    figure.supxlabel("environment steps", fontsize=9)
    figure.supylabel("success", fontsize=9)
    _legend(figure, list(outcomes))
    _save(path, figure, caption)


def draw_conflict(path: Path, outcomes: Outcomes, caption: str) -> None:
    """Write a PNG with condition numbers and lowest cosines of the task gradients over training.

    As in Fig. 4 of Aligned-MTL (Senushkin et al. 2023), for critics and for the actor: medians over
    seeds and over neighbouring updates.
    """
    figure = Figure(figsize=(9.0, 5.4), layout="constrained")
    panels = figure.subplots(len(MEASURES), len(PARTS), squeeze=False, sharex=True)
    shown = [method for method, each in outcomes.items() if each[0].conflict]
    for row, measure in zip(panels, MEASURES, strict=True):
        for panel, part in zip(row, PARTS, strict=True):
            for (method, each), colour in zip(outcomes.items(), cycle(COLOURS), strict=False):
                if method in shown:
                    found = [one.conflict[f"{part}_{measure}"] for one in each]
                    steps, values = _medians(found)
                    panel.plot(steps, values, color=colour, lw=1.4, marker=_marker(steps))
            _decorate(panel, "", f"{part}: {measure.replace('_', ' ')}")
            if measure == "condition_number":
                panel.set_yscale("log")
                panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
                panel.yaxis.set_minor_formatter(NullFormatter())
    figure.supxlabel("environment steps", fontsize=9)
    _legend(figure, list(outcomes), shown)
    _save(path, figure, caption)


def _medians(
    found: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Curves of several seeds as one: medians of at most `_BINS` stretches of training."""
    steps = np.concatenate([one[0] for one in found]).astype(float)
    values = np.concatenate([one[1] for one in found])
    order = np.argsort(steps, kind="stable")
    order = order[np.isfinite(values[order])]
    groups = [g for g in np.array_split(order, min(_BINS, max(len(found[0][0]), 1))) if len(g)]
    return (
        np.array([steps[group].mean() for group in groups]),
        np.array([np.median(values[group]) for group in groups]),
    )


def _marker(steps: NDArray[np.generic]) -> str | None:
    return "o" if len(steps) < 10 else None  # a curve of one point is a point


def _decorate(axes: Axes, across: str = "", up: str = "") -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25, linewidth=0.6)


def _legend(figure: Figure, methods: Sequence[str], shown: Sequence[str] | None = None) -> None:
    colours = dict(zip(methods, cycle(COLOURS), strict=False))
    names = methods if shown is None else shown
    lines = [Line2D([], [], color=colours[name]) for name in names]
    if lines:
        figure.legend(lines, list(names), loc="outside right center", frameon=False)


def _save(path: Path, figure: Figure, caption: str) -> None:
    lines = textwrap.fill(caption, int(16 * figure.get_figwidth()))
    figure.suptitle(lines, fontsize=7, color="#707070")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=140)
    write_atomically(path, picture.getvalue())
