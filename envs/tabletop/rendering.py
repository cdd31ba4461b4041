"""Pictures of the world, fast: colour and depth of a camera in one pass."""

from __future__ import annotations

import atexit
import weakref

import mujoco
import numpy as np
from numpy.typing import NDArray

from robomtl.envs.exceptions import UnknownNameError
from robomtl.envs.opengl import opened_context
from robomtl.envs.tabletop.groups import Group
from robomtl.envs.tabletop.world import World

#: ``fast``: collision hulls, no shadows, no smoothing; for training. ``pretty``: for people.
LOOKS = ("fast", "pretty")


def _context(width: int, height: int) -> mujoco.GLContext:
    with opened_context():
        context = mujoco.GLContext(width, height)
    # MuJoCo has now asked to shut OpenGL down at the interpreter's exit. Exit handlers run last
    # registered first: this one still finds it alive.
    atexit.unregister(_close_all)
    atexit.register(_close_all)
    return context


def _free(context: mujoco.GLContext, rendering: mujoco.MjrContext) -> None:
    context.make_current()
    rendering.free()
    context.free()


_OPEN: weakref.WeakSet[Renderer] = weakref.WeakSet()


def _close_all() -> None:
    for renderer in list(_OPEN):
        renderer.close()


class Renderer:
    """Draws a world into memory; `close` gives the OpenGL context back.

    Args:
        world: What to draw.
        width: Of the pictures, in pixels.
        height: Of the pictures, in pixels.
        look: One of `LOOKS`.

    Raises:
        UnknownNameError: There is no such look.
        RenderingError: There is no usable OpenGL.
    """

    def __init__(self, world: World, width: int, height: int, look: str = "fast") -> None:
        if look not in LOOKS:
            raise UnknownNameError("look", look, LOOKS)
        self._world = world
        self._context = _context(width, height)
        self._context.make_current()
        model = world.model
        pretty = look == "pretty"
        model.vis.quality.offsamples = 4 if pretty else 0
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = 0
        self._option.geomgroup[Group.SCENE] = 1
        self._option.geomgroup[Group.PRETTY if pretty else Group.FAST] = 1
        for flag in ("SHADOW", "REFLECTION", "SKYBOX", "HAZE"):
            self._scene.flags[getattr(mujoco.mjtRndFlag, f"mjRND_{flag}")] = pretty
        self._perturb = mujoco.MjvPerturb()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._mujoco = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        # As the buffer holds it, so that far things keep their precision.
        self._mujoco.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._mujoco)
        self.close = weakref.finalize(self, _free, self._context, self._mujoco)
        self.close.atexit = False
        _OPEN.add(self)
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._rgb = np.empty((height, width, 3), np.uint8)
        self._depth = np.empty((height, width), np.float32)

    def update(self) -> None:
        """Take in where everything is now. Call it once before the cameras are drawn."""
        self._context.make_current()
        self._camera.fixedcamid = 0
        mujoco.mjv_updateScene(
            self._world.model,
            self._world.data,
            self._option,
            self._perturb,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )

    def _draw(self, camera: str) -> None:
        self._context.make_current()  # others may have come and gone since the last picture
        model, data = self._world.model, self._world.data
        self._camera.fixedcamid = model.camera(camera).id
        mujoco.mjv_updateCamera(model, data, self._camera, self._scene)
        mujoco.mjr_render(self._viewport, self._scene, self._mujoco)

    def rgb_and_depth(self, camera: str) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """What a camera sees.

        Returns:
            (H, W, 3) colours, and (H, W) depth in metres along the optical axis.
        """
        self._draw(camera)
        mujoco.mjr_readPixels(self._rgb, self._depth, self._viewport, self._mujoco)
        near, far = self._world.model.vis.map.znear, self._world.model.vis.map.zfar
        # 1 at the near plane, 0 at the far one.
        depth = near * far / (near + self._depth[::-1] * (far - near))
        return self._rgb[::-1].copy(), depth.astype(np.float32)

    def mask(self, camera: str) -> NDArray[np.int32]:
        """(H, W) MuJoCo's id of the body that each pixel shows; 0 is the room."""
        flags = self._scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        self._draw(camera)
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 0
        mujoco.mjr_readPixels(self._rgb, None, self._viewport, self._mujoco)
        rgb = self._rgb[::-1].astype(np.int32)
        index = rgb[..., 0] + (rgb[..., 1] << 8) + (rgb[..., 2] << 16)
        body_of = np.zeros(self._scene.ngeom + 1, np.int32)
        for i in range(self._scene.ngeom):
            geom = self._scene.geoms[i]
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                body_of[geom.segid + 1] = self._world.model.geom_bodyid[geom.objid]
        return body_of[index]
