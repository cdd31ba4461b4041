"""Push a block onto a square."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.placement import place_base
from robomtl.envs.tabletop.poses import DOWN, Pose, most_natural, yaw_rotation
from robomtl.envs.tabletop.task import Task, Waypoint

_TABLE = -0.002  # in the base's frame
_SIDE = 0.0563
_FINGER = 0.0105  # half a finger's thickness in the direction of the push
_BLOCK, _TARGET = np.array([0.025, -0.025]), np.array([0.025, 0.15])
_HEIGHT = 0.02  # of the tip: low, and above the table even if it is a centimetre too low


class SlideBlockToTarget(Task):
    """Push the block (1 variation) onto the red square with the closed gripper.

    Done when the block meets a cube of 1 cm at the square's centre. Its friction is ours: low
    enough to be pushed without tipping over.
    """

    name = "slide_block_to_target"
    variations = 1
    max_steps = 5

    def build(self) -> None:
        self.block = self.world.object("block")
        self.block.box((_SIDE, _SIDE, _SIDE), mass=0.356, friction=0.3, colour=(0.15, 0.3, 0.75))
        self.target = self.world.fixture("target")
        self.target.box((0.1, 0.1, 0.001), solid=False, colour=(0.9, 0.05, 0.05))
        self.zone = self.target.box((0.01, 0.01, 0.01), solid=False, visible=False)

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        base = place_base(rng, (-0.06, 0.11, -0.18, 0.2))
        self.block.place(base @ Pose.at((*_BLOCK, _TABLE + _SIDE / 2)))
        self.target.place(base @ Pose.at((*_TARGET, _TABLE + 0.0005)))

    def waypoints(self) -> list[Waypoint]:
        # The target's frame is the base's, moved: the push is along its y.
        target = self.target.pose
        # The fingers' wide side, across their opening, pushes.
        hand = yaw_rotation(np.pi / 2) @ DOWN
        back = -(_SIDE / 2 + _FINGER)
        start = _BLOCK[1] - _TARGET[1] - 0.102
        return [
            Waypoint(
                most_natural(target @ Pose(np.array([0, y, _HEIGHT - _TABLE]), hand), symmetry=2),
                opened=opened,
                symmetry=2,
            )
            for y, opened in ((start, False), (back, None))
        ]

    def succeeded(self) -> bool:
        return self.zone.meets(self.block)

    def descriptions(self) -> tuple[str, ...]:
        return ("slide the block to the target", "push the block onto the red square")
