"""Take an umbrella out of its stand."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.placement import place_base
from robomtl.envs.tabletop.poses import DOWN, Pose, pitch_rotation, rotation_about, yaw_rotation
from robomtl.envs.tabletop.task import Task, Waypoint

_FLOOR = 0.04  # height of the stand's bottom: with it the handle sticks out as far as in RLBench
_LENGTH, _CANOPY = 0.247, 0.165
_THICKNESS, _BEND = 0.016, 0.011  # diameter of the handle, and radius of its crook
# It leans into a corner between two of the stand's twelve sides, where it cannot roll.
_LEAN = yaw_rotation(np.pi / 12) @ pitch_rotation(np.radians(8))


class TakeUmbrellaOutOfUmbrellaStand(Task):
    """Pull the closed umbrella (1 variation) out of the stand in which it leans.

    Done when no part of it is in the 8 x 8 x 10 cm inside the stand that begin 1.8 cm above its
    base. That it leans by 8 degrees, and its crook, are ours.
    """

    name = "take_umbrella_out_of_umbrella_stand"
    variations = 1
    max_steps = 6

    def build(self) -> None:
        self.stand = self.world.fixture("stand")
        grey = (0.8, 0.83, 0.87)
        self.stand.ring(0.105, 0.203, 0.005, at=(0, 0, 0.0995), colour=grey)
        self.stand.cylinder(0.1, _FLOOR + 0.002, at=(0, 0, _FLOOR / 2 - 0.001), colour=grey)
        self.zone = self.stand.box((0.08, 0.08, 0.1), at=(0, 0, 0.068), solid=False, visible=False)

        # Its origin is its lower end. The canopy is drawn as a cone, and solid as a cylinder.
        self.umbrella = self.world.object("umbrella", graspable=True)
        self.umbrella.cylinder(0.03, _CANOPY, at=(0, 0, _CANOPY / 2), visible=False, mass=0.15)
        upside_down = rotation_about((1, 0, 0), np.pi)
        self.umbrella.cone(
            0.045, _CANOPY, rotation=upside_down, solid=False, mass=0.0, colour=(0.85, 0.03, 0.08)
        )
        wood = {"mass": 0.01, "colour": (0.1, 0.08, 0.35)}
        bend = _LENGTH - _BEND - _THICKNESS / 2  # height at which it begins
        self.umbrella.cylinder(_THICKNESS, bend - _CANOPY, at=(0, 0, (bend + _CANOPY) / 2), **wood)
        side = 2 * _BEND * np.tan(np.pi / 8)
        for angle in np.pi * (np.arange(4) + 0.5) / 4:
            at = (_BEND * (1 - np.cos(angle)), 0, bend + _BEND * np.sin(angle))
            self.umbrella.capsule(_THICKNESS, side, at=at, rotation=pitch_rotation(angle), **wood)

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        base = place_base(rng, (-0.06, 0.06, -0.06, 0.06))
        self.stand.place(base)
        self.umbrella.place(base @ Pose.at((0, 0, _FLOOR + 0.003), _LEAN))

    def waypoints(self) -> list[Waypoint]:
        # The middle of the crook, where it is 0.257 m above the base.
        umbrella = self.umbrella.pose
        lower = umbrella.point((_BEND, 0, 0))
        height = self.stand.pose.position[2] + 0.257 - lower[2]
        crook = lower + umbrella.rotation[:, 2] * height / umbrella.rotation[2, 2]
        return [
            Waypoint(Pose(crook + [0, 0, 0.056], DOWN), symmetry=2),
            Waypoint(Pose(crook, DOWN), opened=False, symmetry=2),
            Waypoint(Pose(crook + [0, 0, 0.225], DOWN), symmetry=2),
        ]

    def succeeded(self) -> bool:
        return not self.zone.meets(self.umbrella)

    def descriptions(self) -> tuple[str, ...]:
        return (
            "take the umbrella out of the umbrella stand",
            "grasp the umbrella by its handle and pull it out of the stand",
        )
