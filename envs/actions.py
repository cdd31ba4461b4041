"""What counts as an action, the same for every simulator."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robomtl.envs.exceptions import InvalidActionError
from robomtl.envs.spaces import ACTION_BOUNDS

_UNIT_TOLERANCE = 0.05


def check_action(action: ArrayLike) -> tuple[NDArray[np.float64], bool]:
    """Split an action into its parts.

    Args:
        action: (8,) x y z in metres, qx qy qz qw, gripper_open.

    Returns:
        (7,) the pose with its quaternion normalised, and whether the gripper shall be open.

    Raises:
        InvalidActionError: Wrong shape, not finite, position out of bounds, or a quaternion whose
            length is not 1 to 5 %.
    """
    numbers = np.asarray(action, dtype=np.float64)
    if numbers.shape != (8,):
        raise InvalidActionError(
            f"an action is 8 numbers, x y z qx qy qz qw gripper_open; got shape {numbers.shape}"
        )
    if not np.all(np.isfinite(numbers)):
        raise InvalidActionError(f"an action must be finite; got {numbers.tolist()}")
    low, high = ACTION_BOUNDS.T
    if np.any(numbers[:3] < low) or np.any(numbers[:3] > high):
        raise InvalidActionError(
            f"position {numbers[:3].round(4).tolist()} m is outside the workspace, "
            f"{low.tolist()} to {high.tolist()} m"
        )
    length = float(np.linalg.norm(numbers[3:7]))
    if abs(length - 1) > _UNIT_TOLERANCE:
        raise InvalidActionError(
            f"quaternion {numbers[3:7].round(4).tolist()} (xyzw) has length {length:.3f}, not 1"
        )
    pose = numbers[:7].copy()
    pose[3:] /= length
    return pose, bool(numbers[7] > 0.5)
