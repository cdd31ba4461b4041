"""Inverse kinematics of the Panda.

Damped least squares on MuJoCo's Jacobian with a null-space pull towards home. It is our own: a
general solver does a quadratic programme per step, and a straight path needs some fifty solutions
of a few steps each.
"""

from __future__ import annotations

import mujoco
import numpy as np

from robomtl.envs.tabletop.panda import HOME, JOINT_RANGE, add_panda
from robomtl.envs.tabletop.poses import Array, Pose, rotation_vector

#: A solution's tolerance: metres and radians.
POSITION_TOLERANCE, ROTATION_TOLERANCE = 5e-4, 2e-3
_DAMPING = 1e-4
_NULL_SPACE_GAIN = 0.05
_LARGEST_STEP = 0.4  # rad
# Stay off the hard limits by a margin, so that a path along them can still be tracked.
_LOWER, _UPPER = JOINT_RANGE[:, 0] + 0.01, JOINT_RANGE[:, 1] - 0.01


class Kinematics:
    """The Panda's forward and inverse kinematics, apart from any simulation."""

    def __init__(self) -> None:
        spec = mujoco.MjSpec()
        spec.compiler.degree = False
        add_panda(spec, kinematics_only=True)
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._tip = self._model.site("tip").id

    def tip(self, joints: Array) -> Pose:
        """The tip's pose in the world at (7,) joint positions in radians."""
        self._data.qpos[:] = joints
        mujoco.mj_kinematics(self._model, self._data)
        return Pose(
            self._data.site_xpos[self._tip].copy(),
            self._data.site_xmat[self._tip].reshape(3, 3).copy(),
        )

    def solve(self, target: Pose, start: Array, iterations: int = 60) -> Array | None:
        """Joint positions that bring the tip to a pose.

        Args:
            target: The tip's pose in the world.
            start: (7,) where the search begins; the solution is the one it slides into.
            iterations: How many steps to try.

        Returns:
            (7,) joint positions within the limits, or None where the search did not converge.
        """
        joints = np.clip(start, _LOWER, _UPPER)
        jacobian = np.empty((6, 7))
        error = np.empty(6)
        for _ in range(iterations):
            pose = self.tip(joints)
            error[:3] = target.position - pose.position
            error[3:] = rotation_vector(target.rotation @ pose.rotation.T)
            close = (
                error[:3] @ error[:3] < POSITION_TOLERANCE**2
                and error[3:] @ error[3:] < ROTATION_TOLERANCE**2
            )
            if close:
                return joints
            mujoco.mj_comPos(self._model, self._data)
            mujoco.mj_jacSite(self._model, self._data, jacobian[:3], jacobian[3:], self._tip)
            # Damped pseudo-inverse: J^T (J J^T + d I)^-1.
            inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + _DAMPING * np.eye(6))
            step = inverse @ error
            pull = _NULL_SPACE_GAIN * (HOME - joints)
            step += pull - inverse @ (jacobian @ pull)
            largest = np.abs(step).max()
            if largest > _LARGEST_STEP:
                step *= _LARGEST_STEP / largest
            joints = np.clip(joints + step, _LOWER, _UPPER)
        return None
