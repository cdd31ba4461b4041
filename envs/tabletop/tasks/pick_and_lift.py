"""Lift a block to a ball in the air."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.colours import COLOURS, distractors
from robomtl.envs.tabletop.placement import place_base, scatter
from robomtl.envs.tabletop.poses import DOWN, Pose, most_natural, yaw_rotation
from robomtl.envs.tabletop.task import Task, Waypoint

_SIDE = 0.05


class PickAndLift(Task):
    """Pick up the block of the named colour (20) among three and lift it to the ball.

    Done when the block is held and reaches into a cone of 90 degrees, 5 cm deep, whose apex is
    1.7 cm above the ball's centre (0.231 m over the base).
    """

    name = "pick_and_lift"
    variations = 20
    max_steps = 8

    def build(self) -> None:
        self.blocks = [
            self.world.object(name, graspable=True)
            for name in ("target", "distractor0", "distractor1")
        ]
        for block in self.blocks:
            block.box((_SIDE, _SIDE, _SIDE), mass=0.125)
        self.goal = self.world.fixture("goal")
        self.goal.sphere(0.08, solid=False, colour=(0.9, 0.1, 0.1), alpha=0.45)
        self.zone = self.goal.cone(0.1, 0.05, at=(0, 0, 0.017), solid=False, visible=False)

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        self.variation = variation
        base = place_base(rng, (-0.215, 0.215, -0.2825, 0.2825), yaw=(-np.pi / 4, np.pi / 4))
        colours = [COLOURS[variation][1], *distractors(rng, variation, 2)]
        spots = scatter(rng, 4, (0.19, 0.2575), 0.1)
        for block, colour, (x, y) in zip(self.blocks, colours, spots, strict=False):
            turn = yaw_rotation(rng.uniform(-np.pi, np.pi))
            block.place(base @ Pose(np.array([x, y, _SIDE / 2 - 0.002]), turn))
            block.recolour(colour)
        self.goal.place(base @ Pose.at((*spots[3], 0.231)))

    def waypoints(self) -> list[Waypoint]:
        block = self.blocks[0].pose
        grasp = most_natural(Pose(block.position, block.rotation @ DOWN), symmetry=4)
        above = Pose(grasp.position + [0, 0, 0.043 + 0.02], grasp.rotation)
        goal = Pose(self.goal.pose.position, grasp.rotation)
        return [
            Waypoint(above, symmetry=4),
            Waypoint(grasp, opened=False, symmetry=4),
            Waypoint(above, symmetry=4),
            Waypoint(goal, symmetry=4),
        ]

    def succeeded(self) -> bool:
        block = self.blocks[0]
        return self.world.grasped is block and self.zone.meets(block)

    def descriptions(self) -> tuple[str, ...]:
        colour = COLOURS[self.variation][0]
        return (
            f"pick up the {colour} block and lift it up to the target",
            f"grasp the {colour} cube and raise it to the ball",
        )
