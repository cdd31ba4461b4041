"""Meta-World's world frame, and this package's.

In Meta-World the robot stands at the origin, faces along y, and the table top is at z = 0. Here
all robots face along x over a table top at z = 0.75 m, so its scenes are turned and moved to where
the tabletop's robot has its scenes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Turns Meta-World's axes into ours: its y is our x.
ROTATION: Array = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
#: Where Meta-World's origin is in our frame, in metres (our choice: where the Panda stands).
ORIGIN: Array = np.array([-0.267, 0.0, 0.75])


def to_ours(point: Array) -> Array:
    """(3,) a point of Meta-World in our frame."""
    return ROTATION @ point + ORIGIN


def to_theirs(point: Array) -> Array:
    """(3,) a point of our frame in Meta-World's."""
    return ROTATION.T @ (point - ORIGIN)
