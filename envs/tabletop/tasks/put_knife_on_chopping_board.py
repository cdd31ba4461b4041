"""Take a knife out of its block and lay it on a chopping board."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.placement import place_base
from robomtl.envs.tabletop.poses import DOWN, Pose, most_natural, pitch_rotation, yaw_rotation
from robomtl.envs.tabletop.task import Task, Waypoint

_LEAN = np.radians(5)
# How the knife is let go: leaning, its point just over the board and to the robot's left, where the
# arm can turn from any grasp without unwinding. It then tips over and lies flat.
_LAYING = yaw_rotation(np.pi / 2) @ pitch_rotation(-np.radians(55)) @ DOWN


class PutKnifeOnChoppingBoard(Task):
    """Pull the knife out of the leaning block and lay it on the chopping board.

    Done when the knife meets the lowest 2 cm over the middle of the board, 0.25 x 0.2 m, and the
    gripper holds nothing. How wide the slot is, how high the knife is lifted and how it is let go
    are ours.
    """

    name = "put_knife_on_chopping_board"
    variations = 1
    max_steps = 8

    def build(self) -> None:
        self.board = self.world.fixture("board")
        self.board.box((0.408, 0.2, 0.017), at=(0, 0, 0.0065), material="dark_wood")
        self.zone = self.board.box((0.25, 0.2, 0.02), (0, 0, 0.025), solid=False, visible=False)

        # Two leaning halves with a slot between them; what closes its ends is upright, so that the
        # knife stands upright too.
        self.block = self.world.fixture("block")
        wood = {"colour": (0.75, 0.5, 0.3), "material": "dark_wood"}
        lean = pitch_rotation(_LEAN)
        for side in (-1, 1):
            at = (0, side * 0.0135, 0.078)
            self.block.box((0.08, 0.013, 0.156), at, rotation=lean, friction=0.1, **wood)
            self.block.box((0.014, 0.014, 0.15), (side * 0.024, 0, 0.075), friction=0.1, **wood)
        self.block.box((0.034, 0.014, 0.017), (0, 0, 0.0085), **wood)

        # The knife's own origin is where it is held.
        self.knife = self.world.object("knife", graspable=True)
        self.knife.box((0.026, 0.018, 0.07), mass=0.06, colour=(0.08, 0.08, 0.09))
        self.knife.box(
            (0.026, 0.003, 0.146), (0, 0, -0.108), mass=0.06, friction=0.1, colour=(0.78, 0.8, 0.83)
        )

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        base = place_base(rng, (-0.25, 0.25, -0.201, 0.275))
        self.board.place(base @ Pose.at((0, -0.101, 0)))
        x, y = rng.uniform((-0.2, 0.08), (0.2, 0.22))
        block = base @ Pose.at((x, y, 0), yaw_rotation(rng.uniform(-np.pi, np.pi)))
        self.block.place(block)
        self.knife.place(block @ Pose.at((0, 0, 0.198)))

    def waypoints(self) -> list[Waypoint]:
        knife = self.knife.pose
        grasp = most_natural(Pose(knife.position, knife.rotation @ DOWN), symmetry=2)
        above = Pose(grasp.position + [0, 0, 0.075], grasp.rotation)
        lifted = Pose(grasp.position + [0, 0, 0.23], grasp.rotation)
        # The middle of the knife is over the middle of the board.
        laid = Pose(self.board.pose.position + [0, -0.06, 0.131], _LAYING)
        return [
            Waypoint(above, symmetry=2),
            Waypoint(grasp, opened=False, symmetry=2),
            Waypoint(lifted, symmetry=2),
            Waypoint(laid, opened=True),
        ]

    def succeeded(self) -> bool:
        return self.world.grasped is None and self.zone.meets(self.knife)

    def descriptions(self) -> tuple[str, ...]:
        return (
            "put the knife on the chopping board",
            "slide the knife out of the knife block and lay it on the wooden board",
        )
