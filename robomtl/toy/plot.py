"""A picture of trajectories, after Fig. 1 of Aligned-MTL (Senushkin et al. 2023)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from robomtl.data.atomic import write_atomically
from robomtl.toy.problem import losses

_COLUMNS = 6
_SIDE = 2.6  # inches
_LIMIT = 11.0


def plot(
    trajectories: Mapping[str, Sequence[NDArray[np.float64]]],
    front: NDArray[np.float64],
    optimum: NDArray[np.float64],
    path: Path,
) -> None:
    """Draw two panels for each method and write them to a PNG file.

    The upper one shows both losses, the lower one both parameters over contours of the mean loss.
    Lines become darker with time. Dots are the starts, the dashed line is the Pareto front, the
    star the optimum.

    Args:
        trajectories: Points (N, 2) of each trajectory, by method.
        front: Points of the Pareto front, (M, 2).
        optimum: Where the mean loss is smallest, (2,).
        path: The file.
    """
    columns = min(len(trajectories), _COLUMNS)
    rows = 2 * -(-len(trajectories) // columns)
    figure = Figure(figsize=(_SIDE * columns, _SIDE * rows), dpi=150, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for number, (method, paths) in enumerate(trajectories.items()):
        row, column = divmod(number, columns)
        upper, lower = axes[2 * row, column], axes[2 * row + 1, column]
        upper.set_title(method.replace("+", "\n+ "), fontsize=10)
        _contours(lower)
        _panel(upper, [_values(points) for points in paths], _values(front), _values(optimum[None]))
        _panel(lower, paths, front, optimum[None])
        upper.set(xlabel="$L_1$", ylabel="$L_2$")
        lower.set(xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")
        lower.set(xlim=(-_LIMIT, _LIMIT), ylim=(-_LIMIT, _LIMIT))
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_atomically(path, content.getvalue())


def _panel(
    ax: Axes,
    paths: Sequence[NDArray[np.float64]],
    front: NDArray[np.float64],
    optimum: NDArray[np.float64],
) -> None:
    ax.set_axis_on()
    ax.plot(front[:, 0], front[:, 1], color="0.5", linestyle="--", linewidth=2, zorder=2)
    for points in paths:
        x, y = points.T
        time = np.linspace(0.15, 0.85, len(points))
        ax.scatter(x, y, c=time, cmap="magma_r", vmin=0, vmax=1, s=2, linewidths=0, zorder=3)
        ax.scatter(x[:1], y[:1], color="black", s=24, zorder=4)
    ax.scatter(optimum[:, 0], optimum[:, 1], marker="*", color="black", s=110, zorder=5)
    ax.tick_params(labelsize=7)


def _contours(ax: Axes) -> None:
    axis = np.linspace(-_LIMIT, _LIMIT, 201)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    mean = _values(grid).mean(-1)
    ax.contour(axis, axis, mean, levels=14, cmap="viridis", linewidths=0.7, alpha=0.6, zorder=1)


def _values(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return losses(torch.from_numpy(points)).numpy()
