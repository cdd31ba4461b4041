"""Pick a cup up."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.colours import COLOURS, distractors
from robomtl.envs.tabletop.placement import place_base, scatter
from robomtl.envs.tabletop.poses import DOWN, Pose
from robomtl.envs.tabletop.task import Task, Waypoint

_TABLE = -0.002  # in the base's frame
_HEIGHT, _RIM, _FOOT = 0.139, 0.094, 0.07
_WALL = 0.004


class PickUpCup(Task):
    """Pick up the cup of the named colour (20) of two, by its rim.

    Done when it is held and has left the 5 x 5 x 2.5 cm on the table in which it stood. The
    cups' taper and their distance of 16 cm, which leaves room for the fingers, are ours.
    """

    name = "pick_up_cup"
    variations = 20
    max_steps = 6

    def build(self) -> None:
        self.cups = [self.world.object(name, graspable=True) for name in ("target", "distractor")]
        taper = np.arctan2((_RIM - _FOOT) / 2, _HEIGHT)
        for cup in self.cups:
            # It stands on its bottom; the wall begins just above the table.
            cup.ring(
                (_RIM + _FOOT) / 2,
                _HEIGHT - 0.002,
                _WALL,
                at=(0, 0, _HEIGHT / 2 + 0.001),
                taper=taper,
                mass=0.04 / 12,
                material="plastic",
            )
            cup.cylinder(_FOOT, 0.006, at=(0, 0, 0.003), mass=0.013, material="plastic")
        self.spot = self.world.fixture("spot")
        self.zone = self.spot.box(
            (0.05, 0.05, 0.025), at=(0, 0, 0.0125), solid=False, visible=False
        )

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        self.variation = variation
        base = place_base(rng, (-0.2, 0.2, -0.3, 0.3))
        colours = [COLOURS[variation][1], *distractors(rng, variation, 1)]
        spots = scatter(rng, 2, (0.2 - _RIM / 2, 0.3 - _RIM / 2), 0.16)
        for cup, colour, (x, y) in zip(self.cups, colours, spots, strict=True):
            cup.place(base @ Pose.at((x, y, _TABLE)))
            cup.recolour(colour)
        self.spot.place(base @ Pose.at((*spots[0], _TABLE)))

    def waypoints(self) -> list[Waypoint]:
        # A cup looks the same from all sides, so the gripper is not turned with it.
        rim = self.cups[0].pose.position + [0, 0.04, 0.12 - _TABLE]
        return [
            Waypoint(Pose(rim + [0, 0, 0.063], DOWN), symmetry=2),
            Waypoint(Pose(rim, DOWN), opened=False, symmetry=2),
            Waypoint(Pose(rim + [0, 0, 0.259], DOWN), symmetry=2),
        ]

    def succeeded(self) -> bool:
        cup = self.cups[0]
        return self.world.grasped is cup and not self.zone.meets(cup)

    def descriptions(self) -> tuple[str, ...]:
        colour = COLOURS[self.variation][0]
        return (f"pick up the {colour} cup", f"grasp the {colour} cup by its rim and lift it")
