"""Rigid poses. Quaternions are xyzw, but for MuJoCo's in `Pose.wxyz` and `Pose.from_wxyz`."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pose:
    """A rigid transform from a local frame to its parent: ``parent = rotation @ local + position``.

    Attributes:
        position: (3,) translation in metres.
        rotation: (3, 3) rotation matrix.
    """

    position: Array
    rotation: Array

    @staticmethod
    def at(position: ArrayLike, rotation: Array | None = None) -> Pose:
        """The pose at `position`, unrotated unless a rotation matrix is given."""
        return Pose(
            np.asarray(position, dtype=np.float64),
            np.eye(3) if rotation is None else rotation,
        )

    @staticmethod
    def from_wxyz(position: ArrayLike, quaternion: ArrayLike) -> Pose:
        """The pose of a position and MuJoCo's wxyz quaternion."""
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, np.asarray(quaternion, dtype=np.float64))
        return Pose(np.array(position, dtype=np.float64), matrix.reshape(3, 3))

    @staticmethod
    def from_vector(vector: ArrayLike) -> Pose:
        """The pose of (7,) numbers x y z qx qy qz qw; the quaternion need not be normalised."""
        x, y, z, qx, qy, qz, qw = np.asarray(vector, dtype=np.float64)
        quaternion = np.array([qw, qx, qy, qz])
        return Pose.from_wxyz((x, y, z), quaternion / np.linalg.norm(quaternion))

    @property
    def wxyz(self) -> Array:
        """(4,) MuJoCo's quaternion, w >= 0."""
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(self.rotation).ravel())
        return quaternion if quaternion[0] >= 0 else -quaternion

    @property
    def vector(self) -> Array:
        """(7,) x y z qx qy qz qw, with qw >= 0."""
        w, x, y, z = self.wxyz
        return np.array([*self.position, x, y, z, w])

    @property
    def yaw(self) -> float:
        """Heading of the local x axis in the parent's horizontal plane, in radians."""
        return float(np.arctan2(self.rotation[1, 0], self.rotation[0, 0]))

    def __matmul__(self, other: Pose) -> Pose:
        """The pose in our parent of something whose pose in our frame is `other`."""
        return Pose(self.rotation @ other.position + self.position, self.rotation @ other.rotation)

    def inverse(self) -> Pose:
        """The pose of the parent seen from the local frame."""
        return Pose(-self.rotation.T @ self.position, self.rotation.T)

    def point(self, local: ArrayLike) -> Array:
        """(3,) a local point, in the parent frame."""
        return self.rotation @ np.asarray(local, dtype=np.float64) + self.position

    def towards(self, other: Pose, fraction: float) -> Pose:
        """The pose at `fraction` of the straight way to `other`, turning at a constant rate."""
        turn = rotation_vector(self.rotation.T @ other.rotation)
        return Pose(
            self.position + fraction * (other.position - self.position),
            self.rotation @ rotation_about(turn, fraction * float(np.linalg.norm(turn))),
        )


def rotation_about(axis: ArrayLike, angle: float) -> Array:
    """(3, 3) rotation by `angle` radians about `axis`, (3,); none about a null axis."""
    axis = np.asarray(axis, dtype=np.float64)
    length = np.linalg.norm(axis)
    if length < 1e-12:
        return np.eye(3)
    quaternion, matrix = np.empty(4), np.empty(9)
    mujoco.mju_axisAngle2Quat(quaternion, axis / length, angle)
    mujoco.mju_quat2Mat(matrix, quaternion)
    return matrix.reshape(3, 3)


def rotation_vector(rotation: Array) -> Array:
    """(3,) axis times angle in radians of a rotation matrix, of the shorter way round."""
    quaternion, vector = np.empty(4), np.empty(3)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(rotation).ravel())
    mujoco.mju_quat2Vel(vector, quaternion, 1.0)
    return vector


def yaw_rotation(angle: float) -> Array:
    """(3, 3) rotation by `angle` radians about the vertical."""
    return rotation_about((0.0, 0.0, 1.0), angle)


def pitch_rotation(angle: float) -> Array:
    """(3, 3) rotation by `angle` radians about the y axis."""
    return rotation_about((0.0, 1.0, 0.0), angle)


#: The gripper pointing straight down as the arm holds it at home: x to the robot, y to its left.
DOWN: Array = np.diag([-1.0, 1.0, -1.0])


def most_natural(pose: Pose, symmetry: int) -> Pose:
    """The least-turned of the gripper poses that are alike for the task.

    Args:
        pose: A gripper pose.
        symmetry: How many turns about the gripper's approach axis (its z) make no difference.

    Returns:
        The one of the `symmetry` equivalent poses that is nearest to `DOWN`. Demonstrations use it
        so that equal scenes get equal labels.
    """
    turns = (pose.rotation @ yaw_rotation(2 * np.pi * k / symmetry) for k in range(symmetry))
    return Pose(pose.position, max(turns, key=lambda rotation: float(np.sum(rotation * DOWN))))
