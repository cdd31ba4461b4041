"""Take money out of a safe."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.placement import place_base
from robomtl.envs.tabletop.poses import Pose, yaw_rotation
from robomtl.envs.tabletop.safe import (
    DEPTH,
    MONEY,
    SHELF_NAMES,
    SHELVES,
    YAW,
    add_money,
    add_safe,
    holding,
)
from robomtl.envs.tabletop.task import Task, Waypoint

# Seen from the task's base: the safe is behind the place where the gripper works, the mat beside.
_SAFE = Pose.at((0.22, -0.1, 0.0))
_MAT = Pose.at((0.02, 0.2, 0.0), yaw_rotation(np.radians(20)))
_MAT_SIZE = (0.223, 0.283)


class TakeMoneyOutSafe(Task):
    """Take the stack from the named shelf (3: bottom, middle, top) and lay it on the dark mat.

    Done when that stack meets the lowest centimetre over the mat, 0.223 x 0.283 m, and the gripper
    holds nothing. Where the mat is and how far the stacks are spread is ours: RLBench spreads them
    over the whole shelf, where the hand would touch the walls.
    """

    name = "take_money_out_safe"
    variations = 3
    max_steps = 8

    def build(self) -> None:
        self.safe = add_safe(self.world)
        self.stacks = [add_money(self.world, f"{shelf}_money") for shelf in SHELF_NAMES]
        self.mat = self.world.fixture("mat")
        self.mat.box((*_MAT_SIZE, 0.002), at=(0, 0, -0.0015), solid=False, colour=(0.2, 0.2, 0.22))
        self.zone = self.mat.box((*_MAT_SIZE, 0.01), at=(0, 0, 0.003), solid=False, visible=False)

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        self.variation = variation
        base = place_base(rng, (-0.36, 0.24, -0.1, 0.15), yaw=YAW)
        self.safe.place(base @ _SAFE)
        self.mat.place(base @ _MAT)
        for stack, shelf in zip(self.stacks, SHELVES, strict=True):
            depth, side = rng.uniform((0.0, -0.035), (0.02, 0.015))
            middle = (-DEPTH / 2 + depth + MONEY[0] / 2, side, shelf + MONEY[2] / 2)
            turn = yaw_rotation(rng.uniform(-np.pi / 10, 0))
            stack.place(base @ _SAFE @ Pose.at(middle, turn))

    def waypoints(self) -> list[Waypoint]:
        safe = self.safe.pose
        # The gripper looks into the middle of the shelf first; where the stack is, is seen there.
        shelf = SHELVES[self.variation] + MONEY[2] / 2
        before = holding(safe @ Pose.at((-DEPTH / 2 - 0.07, 0, shelf)))
        grasp = holding(self.stacks[self.variation].pose)
        out = Pose(grasp.position + safe.rotation @ (-0.205, 0, 0.01), grasp.rotation)
        laid = holding(self.mat.pose @ Pose.at((0, 0, MONEY[2] / 2 + 0.01)))
        return [
            Waypoint(before),
            Waypoint(grasp, opened=False),
            Waypoint(out),
            Waypoint(laid, opened=True),
        ]

    def succeeded(self) -> bool:
        return self.world.grasped is None and self.zone.meets(self.stacks[self.variation])

    def descriptions(self) -> tuple[str, ...]:
        shelf = SHELF_NAMES[self.variation]
        return (
            f"take the money out of the safe's {shelf} shelf and lay it on the mat",
            f"grab the stack of bank notes on the {shelf} shelf and put it on the table",
        )
