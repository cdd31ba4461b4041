"""From a gripper pose to a joint path.

A path is a straight line of the tip where there is one, a straight line of the joints where that
fails, and a sampled detour (RRT-Connect of OMPL) where something that cannot move is in the way.
Things that move are never avoided: grasping, pressing and pushing mean to touch them.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from robomtl.envs.exceptions import UnreachablePoseError
from robomtl.envs.tabletop.kinematics import Kinematics
from robomtl.envs.tabletop.panda import HOME, JOINT_RANGE
from robomtl.envs.tabletop.poses import Array, Pose, rotation_vector
from robomtl.envs.tabletop.world import World

_LINE_STEP = 0.02  # metres, or
_TURN_STEP = 0.1  # radians, between solutions along a straight line of the tip
_LARGEST_JUMP = 0.35  # rad between neighbours; more means that the arm would have to flip
_JOINT_STEP = 0.05  # rad between checks for collisions
_PENETRATION = 0.002  # metres; less counts as touching
_RRT_ITERATIONS = 3000


class Planner:
    """Finds joint paths in the world as it stands.

    Args:
        world: The world; it is only read.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.kinematics = Kinematics()
        model = world.model
        self._scratch = mujoco.MjData(model)
        arm = [model.body(f"link{i}").id for i in range(1, 8)]
        hand, *fingers = (model.body(n).id for n in ("hand", "left_finger", "right_finger"))
        self._robot = np.zeros(model.nbody, bool)
        self._robot[[*arm, hand, *fingers]] = True
        self._fingers = fingers
        # What cannot move: the room, fixtures, and the base of the arm.
        self._fixed = np.zeros(model.nbody, bool)
        self._fixed[0] = True
        for body in range(1, model.nbody):
            self._fixed[body] = model.body_weldid[body] == 0 or model.body_mocapid[body] >= 0
        self._arm_qpos = [int(model.joint(f"joint{i}").qposadr[0]) for i in range(1, 8)]

    def reach(self, target: Pose, start: Array) -> Array:
        """(7,) where a direct path from joint positions `start`, (7,), to a pose would end.

        Raises:
            UnreachablePoseError: The arm cannot take that pose.
        """
        return self._direct(target, start)[-1]

    def goes_straight(self, target: Pose, start: Array) -> bool:
        """Whether the tip can go in a straight line from joint positions `start`, (7,), to a pose.

        Where it cannot, the arm swings round to get there, at its joints' limits and in a wide bow.
        """
        return self._line(target, start) is not None

    def stands_free(self, joints: Array) -> bool:
        """Whether arm and hand at joint positions, (7,), would touch nothing that cannot move.

        The fingers do not count: they are there to touch.
        """
        self._load_scratch()
        moving = self._robot.copy()
        moving[self._fingers] = False
        return not self._collides(joints, moving)

    def path(self, target: Pose) -> Array:
        """A path of the joints that takes the tip to a pose.

        Args:
            target: The tip's pose in the world.

        Returns:
            (N, 7) joint positions in radians, from where the arm is to a solution for `target`.

        Raises:
            UnreachablePoseError: The arm cannot take that pose.
        """
        line = self._direct(target, self._world.joints.copy())
        self._load_scratch()
        # What is held may slide along things, out of a slot or onto a shelf: that is no reason for
        # a detour.
        blocked = any(self._collides(joints, self._robot) for joints in line[:-1])
        if blocked and not self._collides(line[-1]) and not self._collides(line[0]):
            detour = self._detour(line[0], line[-1])
            if detour is not None:
                return detour
        return line

    def _direct(self, target: Pose, start: Array) -> Array:
        """A path that heeds no obstacle."""
        line = self._line(target, start)
        if line is not None:
            return line
        goal = self._goal(target, start)
        count = 2 + int(np.abs(goal - start).max() / _JOINT_STEP)
        return start + np.linspace(0, 1, count)[:, None] * (goal - start)

    def _line(self, target: Pose, start: Array) -> Array | None:
        """Joints along the tip's straight line, or None where the arm cannot follow it."""
        origin = self.kinematics.tip(start)
        distance = float(np.linalg.norm(target.position - origin.position))
        turn = float(np.linalg.norm(rotation_vector(origin.rotation.T @ target.rotation)))
        count = max(2, int(np.ceil(max(distance / _LINE_STEP, turn / _TURN_STEP))))
        path = [start]
        for step in range(1, count + 1):
            joints = self.kinematics.solve(origin.towards(target, step / count), path[-1], 20)
            if joints is None or np.abs(joints - path[-1]).max() > _LARGEST_JUMP:
                return None
            path.append(joints)
        return np.array(path)

    def _goal(self, target: Pose, start: Array) -> Array:
        """A solution for the pose, near `start` if there is one."""
        # The same starts every time: the plan depends on nothing but the pose and the world.
        rng = np.random.default_rng(0)
        middle, half = JOINT_RANGE.mean(axis=1), 0.35 * np.ptp(JOINT_RANGE, axis=1)
        starts = [start, HOME, *(middle + half * rng.uniform(-1, 1, (20, 7)))]
        for guess in starts:
            goal = self.kinematics.solve(target, guess)
            if goal is not None:
                return goal
        raise UnreachablePoseError(
            "the arm cannot reach the gripper pose "
            f"[{', '.join(f'{v:.3f}' for v in target.vector)}] (x y z in metres, qx qy qz qw)"
        )

    # Collisions ----------------------------------------------------------------------------

    def _load_scratch(self) -> None:
        world = self._world
        world.copy_to(self._scratch)
        self._held = world.grasped
        self._moving = self._robot.copy()
        if self._held is not None:
            self._moving[self._held.id] = True
            hand = world.model.body("hand").id
            xmat = world.data.xmat[hand].reshape(3, 3)
            hand_pose = Pose(world.data.xpos[hand].copy(), xmat.copy())
            self._held_in_hand = hand_pose.inverse() @ self._held.pose

    def _collides(self, joints: Array, moving: NDArray[np.bool_] | None = None) -> bool:
        """Whether something would be inside something that cannot move.

        Args:
            joints: (7,) joint positions in radians.
            moving: (nbody,) which bodies count; arm, hand and what it holds unless given.
        """
        if moving is None:
            moving = self._moving
        model, data = self._world.model, self._scratch
        data.qpos[self._arm_qpos] = joints
        mujoco.mj_kinematics(model, data)
        if self._held is not None:
            hand = model.body("hand").id
            hand_pose = Pose(data.xpos[hand].copy(), data.xmat[hand].reshape(3, 3).copy())
            pose = hand_pose @ self._held_in_hand
            data.joint(self._held.name).qpos[:] = (*pose.position, *pose.wxyz)
            mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        if data.ncon == 0:
            return False
        bodies = model.geom_bodyid[data.contact.geom]
        deep = data.contact.dist < -_PENETRATION
        first, second = bodies[:, 0], bodies[:, 1]
        hits = (moving[first] & self._fixed[second]) | (moving[second] & self._fixed[first])
        return bool(np.any(hits & deep))

    def _detour(self, start: Array, goal: Array) -> Array | None:
        """A path around what is in the way, or None where none was found in time."""
        from ompl import base, geometric, util

        util.setLogLevel(util.LogLevel.LOG_NONE)
        # Seeded anew for each plan, so that a plan does not depend on the plans before it.
        util.RNG.setSeed(1)
        space = base.RealVectorStateSpace(7)
        bounds = base.RealVectorBounds(7)
        for joint, (low, high) in enumerate(JOINT_RANGE):
            bounds.setLow(joint, low)
            bounds.setHigh(joint, high)
        space.setBounds(bounds)
        setup = geometric.SimpleSetup(space)
        setup.setStateValidityChecker(
            lambda state: not self._collides(np.array([state[i] for i in range(7)]))
        )
        information = setup.getSpaceInformation()
        information.setStateValidityCheckingResolution(_JOINT_STEP / space.getMaximumExtent())
        first, last = space.allocState(), space.allocState()
        for joint in range(7):
            first[joint], last[joint] = start[joint], goal[joint]
        setup.setStartAndGoalStates(first, last)
        planner = geometric.RRTConnect(information)
        planner.setRange(0.5)
        setup.setPlanner(planner)
        budget = iter(range(_RRT_ITERATIONS))
        setup.solve(base.PlannerTerminationCondition(lambda: next(budget, None) is None))
        if not setup.haveExactSolutionPath():
            return None
        path = setup.getSolutionPath()
        geometric.PathSimplifier(information).reduceVertices(path)
        count = 2 + int(path.length() / _JOINT_STEP)
        path.interpolate(count)
        return np.array([[state[i] for i in range(7)] for state in path.getStates()])
