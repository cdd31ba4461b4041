"""Press a button."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.colours import COLOURS
from robomtl.envs.tabletop.placement import place_base
from robomtl.envs.tabletop.poses import DOWN, Pose
from robomtl.envs.tabletop.task import Task, Waypoint


class PushButton(Task):
    """Push the button of the named colour (18) down.

    Done when its cap has sunk by more than 3 mm of the 10 mm that it can slide. The fingers press
    it 3 mm beyond its stop, which is ours: RLBench's tip would go 1 cm deeper, into the base.
    """

    name = "push_button"
    variations = 18
    max_steps = 5

    def build(self) -> None:
        self.base = self.world.fixture("button")
        self.base.box((0.1, 0.1, 0.02), at=(0, 0, 0.008), colour=(0.22, 0.22, 0.24))
        self.cap = self.world.part("cap", self.base, axis=(0, 0, -1), travel=0.01, spring=400.0)
        self.cap.cylinder(0.056, 0.022, at=(0, 0, 0.0215), mass=0.03, material="plastic")

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        self.variation = variation
        self.base.place(place_base(rng, (-0.05, 0.05, -0.05, 0.05)))
        self.cap.recolour(COLOURS[variation][1])

    def waypoints(self) -> list[Waypoint]:
        # The button is round enough that the gripper need not turn with it.
        above, pressed = self.base.pose.point((0, 0, 0.091)), self.base.pose.point((0, 0, 0.028))
        return [
            Waypoint(Pose(above, DOWN), opened=False, symmetry=2),
            Waypoint(Pose(pressed, DOWN), symmetry=2),
        ]

    def succeeded(self) -> bool:
        return self.cap.travel > 0.003

    def descriptions(self) -> tuple[str, ...]:
        colour = COLOURS[self.variation][0]
        return (f"push the {colour} button", f"press the button with the {colour} cap")
