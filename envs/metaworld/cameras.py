"""Meta-World's cameras: pictures the right way up, and matrices that belong to them.

The three corner cameras hang upside down. Their pictures are turned by half a turn, and so is the
camera frame that their extrinsics are of; the intrinsics, whose principal point is the centre of
the picture, stay the same.
"""

from __future__ import annotations

import atexit
import weakref

import mujoco
import numpy as np
from numpy.typing import NDArray

from robomtl.data.observation import METAWORLD_CAMERAS
from robomtl.envs.metaworld.frame import ROTATION, Array, to_ours
from robomtl.envs.opengl import opened_context

#: Meta-World's name of each camera.
THEIR_NAME = dict(
    zip(
        METAWORLD_CAMERAS,
        ("corner", "corner2", "corner3", "topview", "behindGripper", "gripperPOV"),
        strict=True,
    )
)

# From our camera frame, x left, y up, z forward, to MuJoCo's: x right, y up, z backward.
_TO_MUJOCO = np.diag([-1.0, 1.0, -1.0])
_HALF_TURN = np.diag([-1.0, -1.0, 1.0])


class Cameras:
    """Draws a scene; `close` gives the OpenGL context back.

    Args:
        model: What to draw.
        data: How it is now.
        size: Width and height of pictures in pixels.

    Raises:
        RenderingError: There is no usable OpenGL.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, size: int) -> None:
        self._model, self._data, self._size = model, data, size
        model.vis.global_.offwidth = max(model.vis.global_.offwidth, size)
        model.vis.global_.offheight = max(model.vis.global_.offheight, size)
        model.vis.quality.offsamples = 0  # smoothing costs time, and mixes depths at edges
        with opened_context():
            self._renderer = mujoco.Renderer(model, size, size)
        for flag in ("SHADOW", "REFLECTION"):
            self._renderer.scene.flags[getattr(mujoco.mjtRndFlag, f"mjRND_{flag}")] = False
        self.close = weakref.finalize(self, self._renderer.close)
        self.close.atexit = False
        _OPEN.add(self)
        # MuJoCo shuts OpenGL down at the interpreter's exit. Exit handlers run last registered
        # first: this one still finds it alive.
        atexit.unregister(_close_all)
        atexit.register(_close_all)

    def rgb_and_depth(self, camera: str) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """What a camera sees: (H, W, 3) colours, and (H, W) metres along the optical axis."""
        renderer = self._renderer
        renderer.update_scene(self._data, THEIR_NAME[camera])
        rgb = renderer.render()
        renderer.enable_depth_rendering()
        depth = renderer.render()
        renderer.disable_depth_rendering()
        if self._hangs_upside_down(camera):
            rgb, depth = rgb[::-1, ::-1], depth[::-1, ::-1]
        return rgb.copy(), depth.astype(np.float32)

    def intrinsics(self, camera: str) -> Array:
        """(3, 3) intrinsic matrix, with the tabletop's conventions.

        Focal lengths are negative; the principal point is (size - 1) / 2, so that whole pixel
        indices are pixel centres.
        """
        angle = np.radians(self._model.camera(THEIR_NAME[camera]).fovy[0])
        focal = self._size / (2 * np.tan(angle / 2))
        centre = (self._size - 1) / 2
        return np.array([[-focal, 0, centre], [0, -focal, centre], [0, 0, 1]])

    def extrinsics(self, camera: str) -> Array:
        """(4, 4) camera to world, both in our frames."""
        seen = self._data.camera(THEIR_NAME[camera])
        rotation = seen.xmat.reshape(3, 3) @ _TO_MUJOCO
        if self._hangs_upside_down(camera):
            rotation = rotation @ _HALF_TURN
        matrix = np.eye(4)
        matrix[:3, :3] = ROTATION @ rotation
        matrix[:3, 3] = to_ours(seen.xpos)
        return matrix

    def _hangs_upside_down(self, camera: str) -> bool:
        """Whether the picture's up is the world's down; a hand's camera turns with the hand."""
        mounted = self._model.camera(THEIR_NAME[camera]).bodyid[0] != 0
        up = self._data.camera(THEIR_NAME[camera]).xmat.reshape(3, 3)[2, 1]
        return not mounted and up < -0.1


_OPEN: weakref.WeakSet[Cameras] = weakref.WeakSet()


def _close_all() -> None:
    for cameras in list(_OPEN):
        cameras.close()
