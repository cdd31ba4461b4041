"""A demonstration at a glance: what the cameras see in marked frames, and its path in space."""

import io
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from robomtl.data import Observation
from robomtl.data.atomic import write_atomically
from robomtl.view.footage import RATE, Footage

MOST = 8
"""Columns of pictures; of more marked frames, only so many are pictured, evenly spaced."""

_TILE = 1.9  # inches
_GAP = 0.0065  # between a mark and its number, where the whole drawing is 0.2 wide
_WAYS = [np.array([np.cos(a), np.sin(a)]) for a in np.linspace(0, 2 * np.pi, 8, endpoint=False)]
_MARK = "#ff3ca0"


def write_glance(footage: Footage, every: int, path: Path) -> None:
    """Writes a .png file.

    Args:
        footage: What to show.
        every: Not needed: of all frames only the start and the marked ones are pictured.
        path: The file.
    """
    frames = _moments(footage)
    views = [seen for _, seen in footage.observations(frames)]
    rows, columns = len(footage.cameras), len(frames)
    space = 3 * _TILE
    figure = Figure(
        figsize=(_TILE * columns + space + 1, max(_TILE * rows, space) + 0.9),
        dpi=110,
        layout="constrained",
    )
    demo = footage.demo
    lines = [footage.description, f"{demo.key}: {footage.outcome}, {len(demo)} frames"]
    figure.suptitle("\n".join(filter(None, lines)), fontsize=11)
    halves: Any = figure.subfigures(1, 2, width_ratios=(_TILE * columns, space))
    left, right = halves
    axes = left.subplots(rows, columns, squeeze=False)
    for row, camera in enumerate(footage.cameras):
        for column, (frame, seen) in enumerate(zip(frames, views, strict=True)):
            panel = axes[row, column]
            panel.imshow(seen[f"{camera}_rgb"])
            panel.set(xticks=[], yticks=[])
            if row == 0:
                panel.set_title(_title(footage, frame), fontsize=9)
            if column == 0:
                panel.set_ylabel(camera.replace("_", " "), fontsize=9)
    _draw_space(right.add_subplot(projection="3d", computed_zorder=False), footage, views[0])
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_atomically(path, content.getvalue())


def _moments(footage: Footage) -> list[int]:
    """The start and the marked frames, or some of them where there are many."""
    frames = sorted({0, *(footage.marked or (len(footage.demo) - 1,))})
    if len(frames) <= MOST:
        return frames
    return [frames[i] for i in np.linspace(0, len(frames) - 1, MOST).round().astype(int)]


def _title(footage: Footage, frame: int) -> str:
    seconds = f"{frame / RATE:.1f} s"
    if frame in footage.marked:
        return f"{footage.mark} {footage.marked.index(frame) + 1}, {seconds}"
    return f"{'start' if frame == 0 else 'end'}, {seconds}"


def _draw_space(axes: Any, footage: Footage, seen: Observation) -> None:
    """The first frame's cloud, the gripper's path, and the marked frames by their numbers."""
    points, colours = footage.cloud(seen, side=128)
    if len(points):  # else the axes would reach to the origin
        axes.scatter(*points.T, c=colours / 255, s=2, linewidths=0, depthshade=False)
    path = footage.path()
    axes.plot(*path.T, color="#3c6fe0", lw=1.6, zorder=10)
    marked = path[[*footage.marked]]
    for place in marked:
        axes.scatter(*place, color=_MARK, s=16, depthshade=False, zorder=11)
    axes.set_xlabel("x [m]", fontsize=8)
    axes.set_ylabel("y [m]", fontsize=8)
    axes.set_zlabel("z [m]", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.set_aspect("equal")
    axes.set_box_aspect(axes.get_box_aspect(), zoom=0.92)  # leaves room for the axes' labels
    axes.view_init(elev=28, azim=-50)
    _write_numbers(axes, marked)


def _write_numbers(axes: Any, points: np.ndarray) -> None:
    """Numbers points (N, 3) [m] from 1 on, once it is settled from where they are seen."""
    projected = np.column_stack([points, np.ones(len(points))]) @ axes.get_proj().T
    halo = [withStroke(linewidth=2, foreground="white")]
    style = {"color": _MARK, "weight": "bold", "fontsize": 9, "path_effects": halo, "zorder": 12}
    for number, spot in enumerate(_spots(projected[:, :2] / projected[:, 3:]), start=1):
        axes.text2D(*spot, str(number), ha="center", va="center", **style)


def _spots(points: np.ndarray) -> list[np.ndarray]:
    """Where to write beside each of these points (N, 2): near it, but on no point and no text."""
    taken = [*points]
    for point in points:
        around = (point + ring * _GAP * way for ring in count(1) for way in _WAYS)
        free = (s for s in around if np.linalg.norm(s - taken, axis=1).min() > 0.99 * _GAP)
        taken.append(next(free))
    return taken[len(points) :]
