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
    add_money,
    add_safe,
    holding,
)
from robomtl.envs.tabletop.task import Task, Waypoint

_SAFE = Pose.at((0.22, 0.08, 0.0))
_ZONE = Pose.at((0.01, -0.175, 0.0))


class TakeMoneyOutSafe(Task):
    """Take the stack from the named shelf (3: bottom, middle, top) and put it on the dark mat.

    Done when that stack meets the lowest centimetre over the mat, 0.223 x 0.283 m, and the gripper
    holds nothing.
    """

    name = "take_money_out_safe"
    variations = 3
    max_steps = 8

    def build(self) -> None:
        self.safe = add_safe(self.world)
        self.stacks = [add_money(self.world, f"money{shelf}") for shelf in range(3)]
        self.mat = self.world.fixture("mat")
        self.mat.box((0.223, 0.283, 0.002), at=(0, 0, -0.0015), solid=False, colour=(0.2, 0.2, 0.22))
        self.zone = self.mat.box((0.223, 0.283, 0.01), at=(0, 0, 0.003), solid=False, visible=False)

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        self.variation = variation
        base = place_base(rng, (-0.28, 0.24, -0.18, 0.12), yaw=(-np.pi / 2, 0))
        self.safe.place(base @ _SAFE)
        self.mat.place(base @ _ZONE)
        for stack, shelf in zip(self.stacks, SHELVES, strict=True):
            depth, side = rng.uniform(0.01, 0.03), rng.uniform(-0.035, 0.015)
            place = (-DEPTH / 2 + depth + MONEY[0] / 2, side, shelf + MONEY[2] / 2)
            turn = yaw_rotation(rng.uniform(-np.pi / 10, 0))
            stack.place(base @ _SAFE @ Pose.at(place, turn))

    def waypoints(self) -> list[Waypoint]:
        safe, stack = self.safe.pose, self.stacks[self.variation].pose
        grasp = holding(stack)
        # In front of the middle of the shelf: what lies on it is seen from there.
        shelf = SHELVES[self.variation] + MONEY[2] / 2
        before = holding(safe @ Pose.at((-DEPTH / 2 - 0.05, 0, shelf)))
        out = Pose(grasp.position + safe.rotation @ [-0.218, 0, 0.01], grasp.rotation)
        place = holding(self.mat.pose @ Pose.at((0, 0, MONEY[2] / 2 + 0.01)))
        return [
            Waypoint(before),
            Waypoint(grasp, opened=False),
            Waypoint(out),
            Waypoint(place, opened=True),
        ]

    def succeeded(self) -> bool:
        return self.world.grasped is None and self.zone.meets(self.stacks[self.variation])

    def descriptions(self) -> tuple[str, ...]:
        shelf = SHELF_NAMES[self.variation]
        return (
            f"take the money out of the {shelf} shelf and place it on the table",
            f"get the stack of bank notes on the {shelf} shelf of the safe and lay it on the mat",
        )
