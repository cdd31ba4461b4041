"""The action mode: move the gripper to a pose, then open or close it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from robomtl.envs.tabletop.motion import time_path
from robomtl.envs.tabletop.panda import FINGER_TRAVEL
from robomtl.envs.tabletop.planning import Planner
from robomtl.envs.tabletop.poses import Pose
from robomtl.envs.tabletop.world import FRAME_TIME, SUBSTEPS, TIMESTEP, World

_FINGER_SPEED = 0.2  # m/s, as RLBench's gripper
_CLOSING_FRAMES = 8  # the fingers' whole travel, and as long again to come to rest
_SETTLING_FRAMES = 10  # after a release, as in RLBench


class Arm:
    """Moves the robot of a world as RLBench's end-effector-pose-via-planning action mode does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.planner = Planner(world)

    def move_to(self, target: Pose) -> Iterator[None]:
        """Move the tip to a pose and come to rest there.

        Yields each time a frame's time has passed, the last time at rest. Whoever stops iterating
        stops watching, not the arm.

        Raises:
            UnreachablePoseError: The arm cannot take that pose; nothing has moved.
        """
        path = self.planner.path(target)
        positions, velocities = time_path(path, TIMESTEP, FRAME_TIME)
        for step, (joints, rates) in enumerate(zip(positions, velocities, strict=True), start=1):
            self._world.drive(joints, rates)
            self._world.step()
            if step % SUBSTEPS == 0:
                self._world.refresh()
                yield

    def wait(self, frames: int) -> Iterator[None]:
        """Hold still; yields after each frame."""
        for _ in range(frames):
            for _ in range(SUBSTEPS):
                self._world.step()
            self._world.refresh()
            yield

    def actuate_gripper(self, opened: bool) -> None:
        """Open or close the gripper; nothing moves if it is in that state already.

        Closing it on something graspable attaches that to the hand, as RLBench does; opening lets
        go, and waits for what was held to come to rest.
        """
        world = self._world
        if opened == world.gripper_open:
            return
        if opened:
            world.release()
        else:
            found = world.graspable_in_hand()
            if found is not None:
                world.attach(found)
        start, end = float(world.fingers.mean()), FINGER_TRAVEL if opened else 0.0
        steps = max(1, round(abs(end - start) / _FINGER_SPEED / TIMESTEP))
        for opening in np.linspace(start, end, steps):
            world.drive_fingers(opening)
            world.step()
        for _ in self.wait(_SETTLING_FRAMES if opened else _CLOSING_FRAMES):
            pass
