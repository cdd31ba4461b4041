"""Which geoms are drawn when: MuJoCo's geom groups, by name."""

from __future__ import annotations

from enum import IntEnum


class Group(IntEnum):
    """MuJoCo's geom groups as this simulator uses them."""

    SCENE = 0  #: drawn in every look
    FAST = 1  #: the robot's collision hulls, drawn in the fast look
    PRETTY = 2  #: the robot's fine meshes, drawn in the pretty look
    HIDDEN = 3  #: contact boxes and detection volumes, never drawn
