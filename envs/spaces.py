"""What every simulator's environment takes and gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces

#: Bounds of gripper positions in metres, RLBench's, as (low, high) of x, y and z.
ACTION_BOUNDS = np.array([[-0.275, 0.775], [-0.655, 0.655], [0.752, 1.752]])


def action_space() -> spaces.Box[np.float64]:
    """The space of actions: x y z, qx qy qz qw, gripper_open.

    A new one each time, since a space has the generator that samples from it.
    """
    return spaces.Box(
        low=np.array([*ACTION_BOUNDS[:, 0], -1, -1, -1, -1, 0], dtype=np.float64),
        high=np.array([*ACTION_BOUNDS[:, 1], 1, 1, 1, 1, 1], dtype=np.float64),
        dtype=np.float64,
    )


def observation_space(
    cameras: Sequence[str], image_size: int, task_state: int | None = None
) -> spaces.Dict:
    """The space of observations, under RLBench's field names.

    Args:
        cameras: Which cameras.
        image_size: Of their square pictures, in pixels.
        task_state: Length of ``task_low_dim_state``; None where that is not observed.
    """
    fields: dict[str, spaces.Space] = {
        "joint_positions": _real(7),
        "joint_velocities": _real(7),
        "joint_forces": _real(7),
        "gripper_open": spaces.Box(0.0, 1.0, (), np.float64),
        "gripper_pose": _real(7),
        "gripper_joint_positions": _real(2),
        "gripper_touch_forces": _real(6),
        "timestep": spaces.Box(0, np.iinfo(np.int64).max, (), np.int64),
    }
    if task_state is not None:
        fields["task_low_dim_state"] = _real(task_state)
    for camera in cameras:
        shape = (image_size, image_size)
        fields[f"{camera}_rgb"] = spaces.Box(0, 255, (*shape, 3), np.uint8)
        fields[f"{camera}_depth"] = spaces.Box(0.0, np.inf, shape, np.float32)
        fields[f"{camera}_camera_intrinsics"] = _real(3, 3)
        fields[f"{camera}_camera_extrinsics"] = _real(4, 4)
    return spaces.Dict(fields)


def _real(*shape: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, shape, np.float64)
