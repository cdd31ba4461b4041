"""Meta-World's Sawyer, as this package sees robots: it goes to poses and senses under our names."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import mujoco
import numpy as np
from numpy.typing import NDArray

from robomtl.data.observation import Observation
from robomtl.envs.exceptions import UnreachablePoseError
from robomtl.envs.metaworld.frame import ROTATION, Array, to_ours, to_theirs
from robomtl.envs.metaworld.goals import draw_goal
from robomtl.envs.metaworld.single_task import SingleTask
from robomtl.envs.tabletop.poses import Pose

#: Steps of Meta-World, of 1/80 s, from one frame of a demonstration to the next.
STEPS_PER_FRAME = 4

_TIP = 0.045  # metres from the hand's frame to where the fingertips meet, along the approach axis
_GAIN = 10.0  # of the motion to a pose, as most scripted experts have it
_NEAR = 0.004  # metres from a pose that count as there
_LONGEST = 200  # steps of a motion
_STALLED = 12  # steps without motion after which the hand is held up by something
_BEYOND = 0.03  # metres outside its bounds where the hand can still be, because it lags behind
_GRIPPING = 20  # steps that opening or closing takes
_JOINTS = tuple(f"right_j{k}" for k in range(7))
_FINGERS = ("l_close", "r_close")
_PADS = (("leftclaw", "leftpad"), ("rightclaw", "rightpad"))
# Columns: the tip's x, y (along which the fingers open) and z (approach) in the hand's frame.
_TIP_AXES = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])


class Robot:
    """One task with its robot.

    Args:
        name: Name of the task.
        visuals: Keep what only cameras see.
    """

    def __init__(self, name: str, visuals: bool) -> None:
        self._task = SingleTask(name, np.empty((0, 0)), horizon=10**9, visuals=visuals)
        self.name = name
        self.model: mujoco.MjModel = self._task.simulator.model
        self.data: mujoco.MjData = self._task.simulator.data
        joints = [self.model.joint(joint) for joint in _JOINTS]
        self._positions = [joint.qposadr[0] for joint in joints]
        self._velocities = [joint.dofadr[0] for joint in joints]
        self._fingers = [self.model.joint(finger).qposadr[0] for finger in _FINGERS]
        self._pads = [[self.model.body(body).id for body in bodies] for bodies in _PADS]
        self.gripper_open = True
        self.succeeded = False
        self.state: Array = np.empty(0)

    def reset(self, variation: int, seed: int, attempt: int = 0) -> None:
        """Start an episode.

        Args:
            variation: Of the task.
            seed: Picks the goal; the same numbers give the same one to the bit.
            attempt: Picks another goal for the same seed, for an expert that failed.
        """
        identity = zlib.crc32(self.name.encode())
        goal = draw_goal(self._task.simulator, [identity, variation, seed, attempt])
        self.state = self._task.reset_to(goal)
        self.gripper_open = True
        self.succeeded = False
        # Else what is derived from the state would be that of a moment before.
        mujoco.mj_forward(self.model, self.data)

    def act(self, action: NDArray[np.float32]) -> None:
        """Take one of Meta-World's actions, (4,), of 1/80 s."""
        self.state, _, success = self._task.step(action)
        self.gripper_open = bool(action[3] <= 0)
        self.succeeded = self.succeeded or success

    @property
    def tip(self) -> Pose:
        """Where the fingertips meet, in our frame."""
        hand = self.data.body("hand")
        axes = hand.xmat.reshape(3, 3) @ _TIP_AXES
        return Pose(to_ours(hand.xpos + _TIP * axes[:, 2]), ROTATION @ axes)

    def move_to(self, position: Array) -> Iterator[None]:
        """Move the tip to a position in our frame, (3,); ends there, or where something is.

        Yields after each step of Meta-World.

        Raises:
            UnreachablePoseError: Meta-World keeps the hand from there; nothing has moved.
        """
        simulator = self._task.simulator
        target = to_theirs(position) + (0, 0, _TIP)
        low, high = simulator.mocap_low - _BEYOND, simulator.mocap_high + _BEYOND
        if np.any(target < low) or np.any(target > high):
            corners = [to_ours(corner - (0, 0, _TIP)).round(3) for corner in (low, high)]
            raise UnreachablePoseError(
                f"position {position.round(4).tolist()} m is out of the gripper's bounds in "
                f"{self.name}, {np.minimum(*corners).tolist()} to {np.maximum(*corners).tolist()} m"
            )
        effort = -1.0 if self.gripper_open else 1.0
        still = 0
        for _ in range(_LONGEST):
            before = self.tip.position
            error = target - (to_theirs(before) + (0, 0, _TIP))
            if np.linalg.norm(error) < _NEAR or still == _STALLED:
                return
            self.act(np.array([*(_GAIN * error).clip(-1, 1), effort], np.float32))
            yield
            moved = np.linalg.norm(self.tip.position - before)
            still = still + 1 if moved < 2e-4 else 0

    def actuate_gripper(self, opened: bool) -> Iterator[None]:
        """Open or close the gripper, unless it is; yields after each step of Meta-World."""
        if opened == self.gripper_open:
            return
        effort = -1.0 if opened else 1.0
        for _ in range(_GRIPPING):
            self.act(np.array([0, 0, 0, effort], np.float32))
            yield

    def low_dim(self) -> Observation:
        """What is sensed without cameras, under our names."""
        data = self.data
        return Observation(
            joint_positions=data.qpos[self._positions],
            joint_velocities=data.qvel[self._velocities],
            joint_forces=data.qfrc_constraint[self._velocities],
            gripper_open=np.array(float(self.gripper_open)),
            gripper_pose=self.tip.vector,
            gripper_joint_positions=np.abs(data.qpos[self._fingers]),
            gripper_touch_forces=self._touch_forces(),
            task_low_dim_state=self.state.copy(),
        )

    def _touch_forces(self) -> Array:
        """(6,) contact force in newtons, in our frame, on the left and the right finger."""
        forces = np.zeros(6)
        wrench = np.empty(6)
        for index, contact in enumerate(self.data.contact):
            owners = self.model.geom_bodyid[[contact.geom1, contact.geom2]].tolist()
            for finger, bodies in enumerate(self._pads):
                ours = [owner in bodies for owner in owners]
                if ours[0] != ours[1]:
                    mujoco.mj_contactForce(self.model, self.data, index, wrench)
                    force = ROTATION @ contact.frame.reshape(3, 3).T @ wrench[:3]
                    forces[3 * finger : 3 * finger + 3] += force if ours[1] else -force
        return forces

    def close(self) -> None:
        """Give everything back."""
        self._task.simulator.close()
