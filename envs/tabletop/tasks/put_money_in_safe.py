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
    add_money,
    add_safe,
    holding,
)
from robomtl.envs.tabletop.task import Task, Waypoint

_SAFE = Pose.at((0.22, 0.0, 0.0))


class PutMoneyInSafe(Task):
    """Put the stack that lies on the safe onto the named shelf (3: bottom, middle, top).

    Done when the stack meets the lowest centimetre over that shelf, 0.2 x 0.2 m in its middle, and
    the gripper holds nothing.
    """

    name = "put_money_in_safe"
    variations = 3
    max_steps = 10

    def build(self) -> None:
        self.safe = add_safe(self.world)
        self.money = add_money(self.world, "money")
        self.zones = [
            self.safe.box((0.2, 0.2, 0.01), (0, 0, shelf + 0.005), solid=False, visible=False)
            for shelf in SHELVES
        ]

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        self.variation = variation
        base = place_base(rng, (-0.28, 0.24, -0.18, 0.18), yaw=(-np.pi / 2, 0))
        self.safe.place(base @ _SAFE)
        x, y = rng.uniform((-0.04, -0.08), (0.04, 0.08))
        turn = yaw_rotation(rng.uniform(-np.pi / 10, np.pi / 10))
        self.money.place(base @ _SAFE @ Pose.at((x, y, HEIGHT + MONEY[2] / 2), turn))

    def waypoints(self) -> list[Waypoint]:
        grasp = holding(self.money.pose)
        before = grasp @ Pose.at((0, 0, -0.08))

        def carried(x: float, height: float) -> Pose:
            # Where the gripper is while the stack is straight before the safe, or in it.
            place = Pose.at((-DEPTH / 2 + x, 0, height + MONEY[2] / 2))
            return holding(self.safe.pose @ place)

        shelf = SHELVES[self.variation] + 0.01
        return [
            Waypoint(before),
            Waypoint(grasp, opened=False),
            Waypoint(carried(-0.13, HEIGHT + 0.04)),
            Waypoint(carried(-0.13, shelf)),
            Waypoint(carried(0.085, shelf), opened=True),
        ]

    def succeeded(self) -> bool:
        return self.world.grasped is None and self.zones[self.variation].meets(self.money)

    def descriptions(self) -> tuple[str, ...]:
        shelf = SHELF_NAMES[self.variation]
        return (
            f"put the money away in the safe on the {shelf} shelf",
            f"leave the stack of bank notes on the {shelf} shelf of the safe",
        )
