"""The open safe and the money of two tasks."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.body import Body
from robomtl.envs.tabletop.poses import DOWN, Pose, pitch_rotation
from robomtl.envs.tabletop.world import World

DEPTH, WIDTH, HEIGHT = 0.236, 0.31, 0.495
#: Heights of what money can lie on inside: the bottom and two shelves.
SHELVES = (0.025, 0.170, 0.325)
SHELF_NAMES = ("bottom", "middle", "top")
#: Size of a stack of money, its length along its own x.
MONEY = np.array([0.118, 0.05, 0.032])

_WALL, _BOARD = 0.01, 0.022
_DOOR_WIDTH, _DOOR_HEIGHT, _DOOR_ANGLE = 0.29, 0.451, np.radians(120)
_STEEL, _LINING = (0.22, 0.25, 0.30), (0.62, 0.64, 0.67)
#: How the gripper reaches in, seen from the safe: along its depth, leaning down so that hand and
#: wrist clear table and shelf, the fingers to the left and right.
REACHING_IN = pitch_rotation(-np.radians(50)) @ DOWN
# Where a stack is held: near the end that it is reached from, and above its middle, so that the
# fingertips stay off the shelf.
_GRASP = np.array([-0.034, 0.0, 0.008])


def add_safe(world: World) -> Body:
    """Add the safe: its origin is on the table under its middle, and it opens towards its -x.

    The door stands open and does not move.
    """
    safe = world.fixture("safe")
    for side in (-1, 1):
        at = (0, side * (WIDTH - _WALL) / 2, HEIGHT / 2)
        safe.box((DEPTH, _WALL, HEIGHT), at, colour=_STEEL, material="metal")
    inside = WIDTH - 2 * _WALL
    safe.box((_WALL, inside, HEIGHT), ((DEPTH - _WALL) / 2, 0, HEIGHT / 2), colour=_STEEL)
    for top in (*SHELVES, HEIGHT):
        colour = _STEEL if top == HEIGHT else _LINING
        at = (-_WALL / 2, 0, top - _BOARD / 2)
        safe.box((DEPTH - _WALL, inside, _BOARD), at, colour=colour)

    hinge = np.array([-DEPTH / 2, WIDTH / 2, HEIGHT / 2])
    along = np.array([-np.sin(_DOOR_ANGLE), -np.cos(_DOOR_ANGLE), 0])
    turn = np.array([[along[1], along[0], 0], [-along[0], along[1], 0], [0, 0, 1]])
    door = {"rotation": turn, "colour": _STEEL, "material": "metal"}
    safe.box((_WALL, _DOOR_WIDTH, _DOOR_HEIGHT), hinge + along * _DOOR_WIDTH / 2, **door)
    return safe


def add_money(world: World, name: str) -> Body:
    """Add a stack of bank notes in a paper band."""
    money = world.object(name, graspable=True)
    money.box(MONEY, mass=0.5, colour=(0.25, 0.62, 0.28))
    money.box(MONEY * (0.25, 1.02, 1.03), mass=0.0, solid=False, colour=(0.95, 0.93, 0.85))
    return money


def holding(money: Pose) -> Pose:
    """Where the tip is, and how it is turned, when the gripper holds a stack that lies at a pose."""
    return money @ Pose(_GRASP, REACHING_IN)
