"""Put money into a safe."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.placement import place_base
from robomtl.envs.tabletop.poses import Pose, yaw_rotation
from robomtl.envs.tabletop.safe import (
    DEPTH,
    HEIGHT,
    MONEY,
    SHELF_NAMES,
    SHELVES,
    YAW,
    add_money,
    add_safe,
    holding,
)
from robomtl.envs.tabletop.task import Task, Waypoint

# Seen from the task's base: the safe is behind the place where the gripper works.
_SAFE = Pose.at((0.22, 0.0, 0.0))


class PutMoneyInSafe(Task):
    """Put the stack that lies on top of the safe onto the named shelf (3: bottom, middle, top).

    Done when the stack meets the lowest centimetre over that shelf, 0.2 x 0.2 m in its middle, and
    the gripper holds nothing. How far the stack is turned, up to 18 degrees, is ours.
    """

    name = "put_money_in_safe"
    variations = 3
    max_steps = 10

    def build(self) -> None:
        self.safe = add_safe(self.world)
        self.zones = [
            self.safe.box((0.2, 0.2, 0.01), (0, 0, shelf + 0.005), solid=False, visible=False)
            for shelf in SHELVES
        ]
        self.money = add_money(self.world, "money")

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        self.variation = variation
        base = place_base(rng, (-0.36, 0.24, -0.15, 0.1), yaw=YAW)
        self.safe.place(base @ _SAFE)
        x, y, turn = rng.uniform((-0.04, -0.08, -np.pi / 10), (0.04, 0.08, np.pi / 10))
        place = Pose.at((x, y, HEIGHT + MONEY[2] / 2), yaw_rotation(turn))
        self.money.place(base @ _SAFE @ place)

    def waypoints(self) -> list[Waypoint]:
        grasp = holding(self.money.pose)
        shelf = SHELVES[self.variation] + 0.02
        return [
            Waypoint(grasp @ Pose.at((0, 0, -0.08))),
            Waypoint(grasp, opened=False),
            Waypoint(self._carrying(-0.11, HEIGHT + 0.04)),
            Waypoint(self._carrying(-0.11, shelf)),
            Waypoint(self._carrying(0.065, shelf), opened=True),
        ]

    def _carrying(self, depth: float, height: float) -> Pose:
        """The tip's pose when the stack's middle is so far behind the opening, its foot so high."""
        place = Pose.at((depth - DEPTH / 2, 0, height + MONEY[2] / 2))
        return holding(self.safe.pose @ place)

    def succeeded(self) -> bool:
        return self.world.grasped is None and self.zones[self.variation].meets(self.money)

    def descriptions(self) -> tuple[str, ...]:
        shelf = SHELF_NAMES[self.variation]
        return (
            f"put the money away in the safe on the {shelf} shelf",
            f"take the stack of bank notes from the safe's top and leave it on the {shelf} shelf",
        )
