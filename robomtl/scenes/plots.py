"""Pictures of comparisons: task weights, what was gained, and tasks' relationships."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from robomtl.data.atomic import write_atomically
from robomtl.report.curves import COLOURS

_COLUMNS = 3


@dataclass(frozen=True, eq=False)
class WeightCurves:
    """The task weights of a run.

    Attributes:
        iterations: Training steps, (N,).
        weights: Each task's weight at these steps, (N,).
    """

    iterations: NDArray[np.int64]
    weights: Mapping[str, NDArray[np.float64]]


def draw_weights(path: Path, runs: Mapping[str, WeightCurves]) -> None:
    """Write a PNG with a panel for each method, with each task's weight over training."""
    rows = -(-len(runs) // _COLUMNS)
    columns = min(_COLUMNS, len(runs))
    figure = Figure(figsize=(3.6 * columns + 2, 2.8 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    # The same task has the same colour everywhere.
    tasks = dict.fromkeys(task for run in runs.values() for task in run.weights)
    colours = dict(zip(tasks, cycle(COLOURS), strict=False))
    for panel, (method, run) in zip(panels, runs.items(), strict=False):
        marker = "o" if len(run.iterations) < 10 else None  # a curve of one point is a point
        for task, values in run.weights.items():
            panel.plot(run.iterations, values, color=colours[task], marker=marker, lw=1.4)
        panel.set_title(method)
        panel.set_xlabel("training step")
        panel.set_ylabel("weight")
        panel.grid(axis="y", alpha=0.25, linewidth=0.6)
    for panel in panels[len(runs) :]:
        panel.set_axis_off()
    lines = [Line2D([], [], color=colour) for colour in colours.values()]
    figure.legend(lines, list(tasks), loc="outside right upper", frameon=False)
    _save(path, figure)


def draw_improvements(
    path: Path, improvements: Mapping[str, Mapping[str, float]], delta: Mapping[str, float]
) -> None:
    """Write a PNG of bars: what each method gains over single-task networks.

    Args:
        path: The file.
        improvements: Method to task to relative improvement, as fractions.
        delta: Method to their mean.
    """
    methods = list(improvements)
    groups = {task: [improvements[m][task] for m in methods] for task in improvements[methods[0]]}
    groups["Δ MTL"] = [delta[method] for method in methods]
    figure = Figure(figsize=(max(6.0, 1.2 * len(methods) + 2), 3.4), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(groups)
    for number, (name, values) in enumerate(groups.items()):
        places = np.arange(len(methods)) + (number - (len(groups) - 1) / 2) * width
        colour = "#404040" if name == "Δ MTL" else COLOURS[number % len(COLOURS)]
        axes.bar(places, 100 * np.array(values), width, label=name, color=colour)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(np.arange(len(methods)), methods, rotation=20, ha="right")
    axes.set_ylabel("better than single-task [%]")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25, linewidth=0.6)
    figure.legend(loc="outside right upper", frameon=False)
    _save(path, figure)


@dataclass(frozen=True, kw_only=True, eq=False)
class RelationshipPanel:
    """A relationship of tasks as it is shown.

    Attributes:
        title: What stands above it.
        matrix: What each source does for each target, (T, T); the diagonal is left empty.
        form: Format of a number.
        sign: 1 where more is better, -1 where less is.
    """

    title: str
    matrix: NDArray[np.float64]
    form: str
    sign: int = 1


def draw_relationships(
    path: Path, tasks: Sequence[str], panels: Sequence[RelationshipPanel]
) -> None:
    """Write a PNG with each relationship side by side, sources in rows and targets in columns.

    Colours compare the sources of a target with each other, as the rank correlation does: the
    redder or bluer, the further below or above the mean of the column.
    """
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    side = 0.65 * len(tasks) + 0.9
    figure = Figure(figsize=(columns * side, rows * side), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, (axes, panel) in enumerate(zip(grid.ravel(), panels, strict=False)):
        shades = panel.sign * _contrast(panel.matrix)
        axes.imshow(shades, cmap="RdBu", vmin=-1.6, vmax=1.6)  # paler than its ends: text is black
        for (row, column), value in np.ndenumerate(panel.matrix):
            if not np.isnan(value):
                text = panel.form.format(value)
                axes.text(column, row, text, ha="center", va="center", fontsize=7)
        axes.set_title(panel.title, fontsize=9)
        axes.set_xticks(range(len(tasks)), tasks, rotation=35, ha="right", fontsize=8)
        axes.set_yticks(range(len(tasks)), tasks if number % columns == 0 else [], fontsize=8)
    for axes in grid.ravel()[len(panels) :]:
        axes.set_axis_off()
    figure.supxlabel("target", fontsize=9)
    figure.supylabel("source", fontsize=9)
    _save(path, figure)


def _contrast(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each entry is from its column's mean, from -1 to 1; NaN where unknown."""
    known = np.ma.masked_invalid(matrix)
    off = known - known.mean(axis=0)
    largest = np.abs(off).max(axis=0)
    shades: NDArray[np.float64] = (off / np.ma.where(largest > 0, largest, 1)).filled(np.nan)
    return shades


def _save(path: Path, figure: Figure) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=140)
    write_atomically(path, picture.getvalue())
