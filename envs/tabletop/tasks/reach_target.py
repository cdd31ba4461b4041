"""Touch the ball of a colour."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.colours import COLOURS, distractors
from robomtl.envs.tabletop.placement import CENTRE, scatter
from robomtl.envs.tabletop.poses import DOWN, Pose
from robomtl.envs.tabletop.task import Task, Waypoint


class ReachTarget(Task):
    """Reach the ball of the named colour (20) among three floating ones.

    Done when the tip is in a cylinder of radius 5 cm that reaches 4 cm above and below the ball's
    centre. The balls keep 20 cm apart, in a box of 0.5 x 0.7 x 0.5 m above the table.
    """

    name = "reach_target"
    variations = 20
    max_steps = 3

    def build(self) -> None:
        self.balls = [self.world.fixture(name) for name in ("target", "distractor0", "distractor1")]
        for ball in self.balls:
            ball.sphere(0.05, solid=False)
        self.zone = self.balls[0].cylinder(0.1, 0.08, solid=False, visible=False)

    def randomise(self, rng: np.random.Generator, variation: int) -> None:
        self.variation = variation
        colours = [COLOURS[variation][1], *distractors(rng, variation, 2)]
        middle = CENTRE + [0.0, 0.0, 0.33]
        for ball, colour, offset in zip(
            self.balls, colours, scatter(rng, 3, (0.25, 0.35, 0.25), 0.2), strict=True
        ):
            ball.place(Pose.at(middle + offset))
            ball.recolour(colour)

    def waypoints(self) -> list[Waypoint]:
        return [Waypoint(Pose(self.balls[0].pose.position, DOWN))]

    def succeeded(self) -> bool:
        return self.zone.contains(self.world.tip.position)

    def descriptions(self) -> tuple[str, ...]:
        colour = COLOURS[self.variation][0]
        return (f"reach the {colour} target", f"touch the {colour} ball with the gripper")
