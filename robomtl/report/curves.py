"""Curves over training as SVG text that takes its colours and font from the page around it."""

import re
from collections.abc import Mapping
from io import StringIO
from itertools import cycle

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

# Ten colours that differ in light and in dark surroundings, for ten tasks.
COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1",
    "#76b7b2", "#c9a227", "#ff7fa7", "#9c755f", "#8a8f98",
)  # fmt: skip


def curves(
    steps: np.ndarray, values: Mapping[str, np.ndarray], label: str, *, logarithmic: bool
) -> str:
    """One smoothed curve per task.

    Args:
        steps: Training steps, (N,).
        values: What each task has at these steps, (N,); above 0 on a logarithmic axis.
        label: What that is.
        logarithmic: Whether the axis is.

    Returns:
        An `<svg>` element without references to anything outside it.
    """
    # A constant "hash salt" makes equal curves equal text; text stays text in the page's font.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "robomtl", "font.size": 9}):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        axes = figure.add_subplot()
        marker = "o" if len(steps) < 10 else None  # a curve of one point is a point
        for (task, curve), colour in zip(values.items(), cycle(COLOURS), strict=False):
            axes.plot(steps, _smooth(curve), color=colour, marker=marker, lw=1.4, label=task)
        axes.set_yscale("log" if logarithmic else "linear")
        axes.set_xlabel("training step")
        axes.set_ylabel(label)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25, linewidth=0.6)
        figure.legend(loc="outside right upper", frameon=False)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return _embedded(text.getvalue())


def _smooth(values: np.ndarray) -> np.ndarray:
    """A running mean over a fiftieth of the curve, which may start with fewer values."""
    width = max(1, len(values) // 50)
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return (sums[ends] - sums[starts]) / (ends - starts)


def _embedded(svg: str) -> str:
    """The bare element: no prologue, metadata or namespaces, and black is the text's colour."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("#000000", "currentColor").replace("#b0b0b0", "currentColor")
