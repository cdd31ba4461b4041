"""Take an umbrella out of its stand."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.placement import place_base
from robomtl.envs.tabletop.poses import DOWN, Pose, pitch_rotation, rotation_about, yaw_rotation
from robomtl.envs.tabletop.task import Task, Waypoint

_LENGTH = 0.247
_FLOOR = 0.04  # height of the stand's bottom; with it the handle sticks out as far as in RLBench
_LEAN = np.radians(8)
# It leans into a corner between two of the stand's twelve sides, where it cannot roll.
_CORNER = np.pi / 12


class TakeUmbrellaOutOfUmbrellaStand(Task):
    """Pull the closed umbrella (1 variation) out of the stand in which it leans.

    Done when no part of it is in the 8 x 8 x 10 cm inside the stand, from 1.8 cm above its base.
    The umbrella's lean and the thickness of its handle are ours.
    """

    name = "take_umbrella_out_of_umbrella_stand"
    variations = 1
    max_steps = 6

    def build(self) -> None:
        self.stand = self.world.fixture("stand")
        dark = (0.16, 0.17, 0.2)
        self.stand.ring(0.105, 0.203, 0.005, at=(0, 0, 0.0995), colour=dark)
        self.stand.cylinder(0.1, _FLOOR + 0.002, at=(0, 0, _FLOOR / 2 - 0.001), colour=dark)
        self.zone = self.stand.box((0.08, 0.08, 0.1), at=(0, 0, 0.068), solid=False, visible=False)

        # Its origin is its lower tip.
        self.umbrella = self.world.object("umbrella", graspable=True)
        self.umbrella.cylinder(
            0.03, 0.175, at=(0, 0, 0.0875), visible=False, mass=0.15
        )
        self.umbrella.cone(
            0.05,
            0.175,
            rotation=rotation_about((1, 0, 0), np.pi),
            solid=False,
            mass=0.0,
            colour=(0.75, 0.05, 0.12),
        )
        self.umbrella.capsule(
            0.026, _LENGTH - 0.175 - 0.013, at=(0, 0, (0.175 + _LENGTH - 0.013) / 2),
            mass=0.05, colour=(0.95, 0.85, 0.1),
        )

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        base = place_base(rng, (-0.06, 0.06, -0.06, 0.06))
        self.stand.place(base)
        lean = yaw_rotation(_CORNER) @ pitch_rotation(_LEAN)
        foot = yaw_rotation(_CORNER) @ np.array([0.0, 0.0, _FLOOR + 0.003])
        self.umbrella.place(base @ Pose(foot, lean))

    def waypoints(self) -> list[Waypoint]:
        axis = self.umbrella.pose
        height = 0.257 + self.stand.pose.position[2] - axis.position[2]
        handle = axis.point((0, 0, height / axis.rotation[2, 2]))
        return [
            Waypoint(Pose(handle + [0, 0, 0.056], DOWN), symmetry=2),
            Waypoint(Pose(handle, DOWN), opened=False, symmetry=2),
            Waypoint(Pose(handle + [0, 0, 0.225], DOWN), symmetry=2),
        ]

    def succeeded(self) -> bool:
        return not self.zone.meets(self.umbrella)

    def descriptions(self) -> tuple[str, ...]:
        return (
            "take the umbrella out of the umbrella stand",
            "grasp the umbrella by its handle and pull it out of the stand",
        )
