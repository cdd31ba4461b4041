"""One task in one world: scenes drawn from seeds, and what the robot senses in them."""

from __future__ import annotations

import zlib

import numpy as np

from robomtl.data.observation import Observation
from robomtl.envs.exceptions import PlacementError, UnreachablePoseError
from robomtl.envs.tabletop.arm import Arm
from robomtl.envs.tabletop.panda import SHOULDER
from robomtl.envs.tabletop.poses import Pose
from robomtl.envs.tabletop.task import Task, Waypoint
from robomtl.envs.tabletop.world import World

_PLACEMENTS = 100  # RLBench gives up after 40
_SETTLING_FRAMES = 10  # physics before an episode begins
# Metres. Between waypoints as near as this something is grasped, pressed or pushed. An arm that
# swung round on the way would sweep it aside, so the way must be straight.
_NEAR = 0.14
_SPARE_REACH = 0.02  # metres; a policy that is a little off must not fail for want of reach


class Episode:
    """A task's world, which can be reset to the scene of any seed.

    Args:
        task: Which task.
    """

    def __init__(self, task: type[Task]) -> None:
        self.world = World()
        self.task = task(self.world)
        self.task.build()
        self.world.compile()
        self.arm = Arm(self.world)

    def reset(self, variation: int, seed: int, attempt: int = 0) -> None:
        """Start an episode: draw a scene in which the expert can reach every waypoint.

        Args:
            variation: Of the task.
            seed: Picks the scene; the same numbers give the same scene to the bit.
            attempt: Picks another scene for the same seed, for an expert that failed.

        Raises:
            PlacementError: No such scene was found.
        """
        # A string's own hash differs from process to process.
        identity = zlib.crc32(self.task.name.encode())
        rng = np.random.default_rng([identity, variation, seed, attempt])
        for _ in range(_PLACEMENTS):
            self.world.home()
            self.task.randomise(rng, variation)
            self.world.forward()
            if self._robot_is_free() and self._waypoints_are_reachable():
                for _ in self.arm.wait(_SETTLING_FRAMES):
                    pass
                self.world.data.time = 0.0
                return
        raise PlacementError(
            f"no scene of {self.task.name} (variation {variation}, seed {seed}) in which every "
            f"waypoint can be reached was found in {_PLACEMENTS} attempts"
        )

    def _robot_is_free(self) -> bool:
        model, data = self.world.model, self.world.data
        robot = {model.body(name).id for name in ("hand", "left_finger", "right_finger")}
        robot |= {model.body(f"link{i}").id for i in range(1, 8)}
        return not any(
            model.geom_bodyid[geom] in robot for contact in data.contact for geom in contact.geom
        )

    def _waypoints_are_reachable(self) -> bool:
        planner, joints = self.arm.planner, self.world.joints.copy()
        waypoints = self.task.waypoints()
        try:
            for before, waypoint in zip([None, *waypoints], waypoints, strict=False):
                near = before is not None and _distance(before, waypoint) < _NEAR
                if near and not planner.goes_straight(waypoint.pose, joints):
                    return False
                joints = planner.reach(waypoint.pose, joints)
                planner.reach(_farther(waypoint.pose), joints)
                if not planner.stands_free(joints):
                    return False
        except UnreachablePoseError:
            return False
        return True

    def low_dim(self) -> Observation:
        """What the robot senses without its cameras, under RLBench's names."""
        world = self.world
        return Observation(
            joint_positions=world.joints.copy(),
            joint_velocities=world.joint_velocities.copy(),
            joint_forces=world.joint_forces.copy(),
            gripper_open=np.array(float(world.gripper_open)),
            gripper_pose=world.tip.vector,
            gripper_joint_positions=world.fingers.copy(),
            gripper_touch_forces=world.touch_forces,
            task_low_dim_state=self._things(),
        )

    def _things(self) -> np.ndarray:
        """(7 n,) poses, xyz and xyzw, of the task's n things."""
        poses: list[Pose] = [body.pose for body in self.world.bodies.values()]
        return np.concatenate([pose.vector for pose in poses])


def _farther(pose: Pose) -> Pose:
    """A pose by the spare reach farther away from the robot's shoulder."""
    away = pose.position - SHOULDER
    return Pose(pose.position + _SPARE_REACH * away / np.linalg.norm(away), pose.rotation)


def _distance(first: Waypoint, second: Waypoint) -> float:
    """How far two waypoints are apart, in metres."""
    return float(np.linalg.norm(second.pose.position - first.pose.position))
