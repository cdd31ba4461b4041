"""The open safe and the stacks of money of two tasks."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.body import Body
from robomtl.envs.tabletop.poses import DOWN, Pose, pitch_rotation, yaw_rotation
from robomtl.envs.tabletop.world import World

#: Size of the safe, in metres: from front to back, across, and up.
DEPTH, WIDTH, HEIGHT = 0.236, 0.31, 0.495
#: How far the safe is turned, in radians, so that the arm can work in front of it. RLBench's ranges
#: are wider. To the other side the arm's last joint ends, and before a safe that faces the robot
#: squarely the arm would have to fold up more than it can.
YAW = (np.pi / 9, np.pi / 2)
#: Heights over the table of what money can lie on inside: the bottom and two shelves.
SHELVES = (0.025, 0.170, 0.325)
SHELF_NAMES = ("bottom", "middle", "top")
#: Size of a stack of money in metres, its length along its own x.
MONEY = np.array([0.118, 0.05, 0.032])

_WALL, _BOARD = 0.01, 0.022
_DOOR_WIDTH, _DOOR_HEIGHT = 0.29, 0.451
_DOOR_OPENING = np.radians(120)
_STEEL, _LINING, _BRASS = (0.22, 0.25, 0.30), (0.62, 0.64, 0.67), (0.75, 0.62, 0.3)

# How the gripper reaches in, seen from the safe: along its depth, and 35 degrees down, so that hand
# and forearm keep clear of the table and of the shelf above. The fingers are left and right.
_REACHING_IN = pitch_rotation(-np.radians(55)) @ DOWN
# Where a stack is held: near the end that it is reached from, and above its middle, so that the
# fingertips keep off the shelf.
_HOLD = np.array([-0.024, 0.0, 0.007])


def add_safe(world: World) -> Body:
    """Add the safe: its origin is on the table under its middle, and it opens towards its -x.

    The door stands open, to the -y side, and does not move.
    """
    safe = world.fixture("safe")
    for side in (-1, 1):
        at = (0.0, side * (WIDTH - _WALL) / 2, HEIGHT / 2)
        safe.box((DEPTH, _WALL, HEIGHT), at, colour=_STEEL)
    inside = WIDTH - 2 * _WALL
    safe.box((_WALL, inside, HEIGHT), ((DEPTH - _WALL) / 2, 0, HEIGHT / 2), colour=_STEEL)
    for top in (*SHELVES, HEIGHT):
        at = (-_WALL / 2, 0, top - _BOARD / 2)
        colour = _STEEL if top == HEIGHT else _LINING
        safe.box((DEPTH - _WALL, inside, _BOARD), at, colour=colour)

    # The door's frame has its x out of the door and its y from the hinge along it.
    hinge = Pose.at((-DEPTH / 2, -WIDTH / 2, HEIGHT / 2), yaw_rotation(np.pi + _DOOR_OPENING))
    middle = hinge.point((0, -_DOOR_WIDTH / 2, 0))
    safe.box((_WALL, _DOOR_WIDTH, _DOOR_HEIGHT), middle, rotation=hinge.rotation, colour=_STEEL)
    dial = hinge.point((_WALL / 2 + 0.008, -_DOOR_WIDTH / 2, 0))
    out = hinge.rotation @ pitch_rotation(np.pi / 2)
    safe.cylinder(0.07, 0.016, dial, rotation=out, solid=False, colour=_BRASS, material="metal")
    return safe


def add_money(world: World, name: str) -> Body:
    """Add a stack of bank notes in a paper band, which can be grasped."""
    money = world.object(name, graspable=True)
    money.box(MONEY, mass=0.5, colour=(0.25, 0.62, 0.28))
    band = MONEY * (0.25, 1.02, 1.03)
    money.box(band, mass=0.0, solid=False, colour=(0.95, 0.93, 0.85))
    return money


def holding(money: Pose) -> Pose:
    """The tip's pose when the gripper holds a stack that lies at a pose, reached from its -x."""
    return money @ Pose(_HOLD, _REACHING_IN)
