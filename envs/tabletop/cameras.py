"""RLBench's five cameras: where they are, and how their pictures map to the world."""

from __future__ import annotations

import mujoco
import numpy as np

from robomtl.envs.tabletop.poses import Array, Pose

#: Vertical field of view in degrees.
FIELD_OF_VIEW = {
    "left_shoulder": 40.0,
    "right_shoulder": 40.0,
    "overhead": 40.0,
    "front": 40.0,
    "wrist": 60.0,
}

# Camera frames as in RLBench: x left, y up, z forward. World frame, but for the wrist's: the tip's.
_SIN10, _COS10 = 0.173648, 0.984808
_MOUNTS = {
    "left_shoulder": (
        (-0.175, 0.2, 1.98),
        ((_SIN10, 0.892539, 0.416198), (_COS10, -0.157379, -0.073387), (0, 0.422619, -0.906308)),
    ),
    "right_shoulder": (
        (-0.175, -0.2, 1.98),
        ((-_SIN10, 0.892539, 0.416198), (_COS10, 0.157379, 0.073387), (0, 0.422619, -0.906308)),
    ),
    "overhead": (
        (-0.175, 0, 2.43),
        ((0, 0.906308, 0.422619), (1, 0, 0), (0, 0.422619, -0.906308)),
    ),
    "front": (
        (1.35, 0, 1.58),
        ((0, -0.422618, -0.906308), (-1, 0, 0), (0, 0.906308, -0.422618)),
    ),
    "wrist": (
        (-0.05, 0.002, -0.0921),
        ((0, -0.9962, 0.0872), (1, 0, 0), (0, 0.0872, 0.9962)),
    ),
}
# From RLBench's camera frame to MuJoCo's (x right, y up, z backward).
_TO_MUJOCO = np.diag([-1.0, 1.0, -1.0])


def _orthonormal(rows: tuple[tuple[float, ...], ...]) -> Array:
    """The rotation nearest to a rounded one."""
    u, _, vt = np.linalg.svd(np.array(rows))
    return u @ vt


def add_cameras(spec: mujoco.MjSpec) -> None:
    """Add the five cameras, each under its name, and ``audience``, a view for people.

    Must be called after the robot is there: the wrist camera is fixed to its hand.
    """
    hand = spec.body("hand")
    tip = spec.site("tip")
    tip_in_hand = Pose.from_wxyz(tip.pos, tip.quat)
    for name, (position, rows) in _MOUNTS.items():
        mount = Pose(np.array(position, dtype=float), _orthonormal(rows))
        parent = hand if name == "wrist" else spec.worldbody
        if name == "wrist":
            mount = tip_in_hand @ mount
        mujoco_pose = Pose(mount.position, mount.rotation @ _TO_MUJOCO)
        parent.add_camera(
            name=name, pos=mujoco_pose.position, quat=mujoco_pose.wxyz, fovy=FIELD_OF_VIEW[name]
        )
    eye, target = np.array([0.4, -1.6, 1.75]), np.array([0.15, 0.02, 1.0])
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross((0, 0, 1), back)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(back, right), back], axis=1)
    spec.worldbody.add_camera(name="audience", pos=eye, quat=Pose(eye, rotation).wxyz, fovy=38)


def intrinsics(name: str, size: int) -> Array:
    """(3, 3) intrinsic matrix of a camera for square pictures of `size` pixels.

    Focal lengths are negative, as in RLBench, since its camera frame looks along z with x to the
    left and y up. The principal point is (size - 1) / 2, so that whole pixel indices are pixel
    centres; RLBench's own size / 2 is half a pixel off, 4 mm on the table.
    """
    focal = size / (2 * np.tan(np.radians(FIELD_OF_VIEW[name]) / 2))
    centre = (size - 1) / 2
    return np.array([[-focal, 0, centre], [0, -focal, centre], [0, 0, 1]])


def extrinsics(model: mujoco.MjModel, data: mujoco.MjData, name: str) -> Array:
    """(4, 4) camera-to-world matrix of a camera in RLBench's camera frame."""
    camera = model.camera(name).id
    matrix = np.eye(4)
    matrix[:3, :3] = data.cam_xmat[camera].reshape(3, 3) @ _TO_MUJOCO
    matrix[:3, 3] = data.cam_xpos[camera]
    return matrix
