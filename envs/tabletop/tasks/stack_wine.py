"""Put a bottle into a wine rack."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.placement import place_base
from robomtl.envs.tabletop.poses import DOWN, Pose, rotation_about, yaw_rotation
from robomtl.envs.tabletop.task import Task, Waypoint

_TABLE = -0.002  # in the base's frame
_BOTTLE = np.array([0.099, -0.284])
_NECK = 0.222  # height of the grasp
_CELL = np.array([0.113, 0.275])  # centre of the rack, and of its upper middle cell
_DEPTH = 0.22


class StackWine(Task):
    """Lay the standing bottle (1 variation) into the upper tier of the wine rack.

    Done when the bottle meets a cylinder of radius 2 cm that lies in the rack's upper middle cell,
    20 cm long. The rack's beams are ours.
    """

    name = "stack_wine"
    variations = 1
    max_steps = 10

    def build(self) -> None:
        # Its origin is the middle of its foot.
        self.bottle = self.world.object("bottle", graspable=True)
        green, label, foil = (0.05, 0.25, 0.1), (0.93, 0.9, 0.8), (0.5, 0.05, 0.1)
        self.bottle.cylinder(0.06, 0.15, at=(0, 0, 0.075), mass=0.46, colour=green)
        self.bottle.cylinder(0.061, 0.06, at=(0, 0, 0.08), solid=False, mass=0.0, colour=label)
        self.bottle.cone(0.06, 0.06, at=(0, 0, 0.21), solid=False, mass=0.0, colour=green)
        self.bottle.cylinder(0.026, 0.097, at=(0, 0, 0.1985), mass=0.08, colour=foil)

        self.rack = self.world.fixture("rack")
        wood = {"material": "dark_wood", "colour": (1.0, 1.0, 1.0)}
        for x in (-0.16, 0.16):
            self.rack.box((0.01, _DEPTH, 0.134), at=(x, 0, 0.065), **wood)
        for bottom in (0.007, 0.078):
            for y in (-1, 1):
                self.rack.box(
                    (0.31, 0.015, 0.012), at=(0, y * (_DEPTH / 2 - 0.02), bottom + 0.006), **wood
                )
            for x in (-0.055, 0.055):
                self.rack.box((0.01, _DEPTH, 0.054), at=(x, 0, bottom + 0.027), **wood)
        self.zone = self.rack.cylinder(
            0.04,
            0.2,
            at=(0, 0, 0.113),
            rotation=rotation_about((1, 0, 0), np.pi / 2),
            solid=False,
            visible=False,
        )

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        base = place_base(rng, (-0.06, 0.285, -0.32, 0.4), yaw=(-np.pi / 4, np.pi / 4))
        self.bottle.place(base @ Pose.at((*_BOTTLE, _TABLE)))
        self.rack.place(base @ Pose.at((*_CELL, 0.0)))

    def waypoints(self) -> list[Waypoint]:
        base = self.rack.pose @ Pose.at((*-_CELL, 0.0))
        # Upright, the bottle is held from the rack's side; lying, with its foot ahead, from above.
        lying = yaw_rotation(np.pi / 2) @ DOWN
        upright = rotation_about((1, 0, 0), -np.pi / 2) @ lying
        neck = np.array([*_BOTTLE, _NECK])
        back = -upright[:, 2] * 0.05
        return [
            Waypoint(base @ Pose(position, rotation), opened=opened)
            for position, rotation, opened in (
                (neck + back, upright, None),
                (neck, upright, False),
                (neck + [0, 0, 0.05], upright, None),
                (np.array([_CELL[0], -0.08, 0.141]), lying, None),
                (np.array([_CELL[0], 0.15, 0.141]), lying, True),
            )
        ]

    def succeeded(self) -> bool:
        return self.zone.meets(self.bottle)

    def descriptions(self) -> tuple[str, ...]:
        return ("stack the wine bottle", "lay the bottle into the upper tier of the wine rack")
