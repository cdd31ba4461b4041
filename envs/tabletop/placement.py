"""Where things go: RLBench's workspace, and fair samples of places in it."""

from __future__ import annotations

import numpy as np

from robomtl.envs.exceptions import PlacementError
from robomtl.envs.tabletop.poses import Array, Pose, yaw_rotation

#: The workspace on the table: its centre (a task's base stands at this height), and half its size.
CENTRE = np.array([0.25, 0.0, 0.752])
HALF_SIZE = np.array([0.325, 0.455])
_ATTEMPTS = 1000


def place_base(
    rng: np.random.Generator,
    footprint: tuple[float, float, float, float],
    yaw: tuple[float, float] = (-np.pi, np.pi),
) -> Pose:
    """A random base for a task's things: anywhere and anyhow turned, all of it in the workspace.

    Args:
        rng: Source of randomness.
        footprint: Least x, greatest x, least y and greatest y, in metres, of what the task puts
            around its base.
        yaw: Range of the turn about the vertical, in radians.

    Returns:
        The base's pose in the world.

    Raises:
        PlacementError: The footprint does not fit.
    """
    x0, x1, y0, y1 = footprint
    corners = np.array([[x0, y0], [x0, y1], [x1, y0], [x1, y1]])
    for _ in range(_ATTEMPTS):
        rotation = yaw_rotation(rng.uniform(*yaw))
        turned = corners @ rotation[:2, :2].T
        low, high = -HALF_SIZE - turned.min(axis=0), HALF_SIZE - turned.max(axis=0)
        if np.all(low <= high):
            offset = rng.uniform(low, high)
            return Pose(CENTRE + [*offset, 0.0], rotation)
    raise PlacementError(f"a footprint of {footprint} m does not fit into the workspace")


def scatter(
    rng: np.random.Generator, count: int, half_size: tuple[float, ...], separation: float
) -> Array:
    """Random points in a box around the origin, no two nearer than `separation`.

    Args:
        rng: Source of randomness.
        count: How many points.
        half_size: Half the box's size along each axis, in metres.
        separation: Least distance between two points, in metres.

    Returns:
        (count, len(half_size)) points.

    Raises:
        PlacementError: The points do not fit.
    """
    size = np.array(half_size)
    for _ in range(_ATTEMPTS):
        points = rng.uniform(-size, size, (count, len(size)))
        gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)
        if np.all(gaps[np.triu_indices(count, 1)] >= separation):
            return points
    raise PlacementError(f"{count} points {separation} m apart do not fit into a box of +-{size} m")
