"""Scenes from anywhere, with a label for every pixel: class, depth and surface normal."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robomtl.data.scenes import CLASSES
from robomtl.envs.exceptions import PlacementError, UnknownNameError
from robomtl.envs.tabletop.normals import normals_from_depth
from robomtl.envs.tabletop.panda import FINGER_TRAVEL, HOME, JOINT_RANGE
from robomtl.envs.tabletop.poses import Array, Pose
from robomtl.envs.tabletop.rendering import Renderer
from robomtl.envs.tabletop.tasks import TASKS
from robomtl.envs.tabletop.world import World

#: Vertical field of view of the camera in degrees.
FIELD_OF_VIEW = 50.0

_ATTEMPTS = 100
_CAMERA = "roaming"
# Labels are drawn this much finer: colours are averaged, the rest is that of the middle.
_FINER = 3
_JITTER = 0.4  # rad, standard deviation of the arm's joints around home
_NEAREST = 0.25  # metres; anything nearer blocks the view
_ROBOT = (*(f"link{i}" for i in range(8)), "hand", "left_finger", "right_finger")

# Class of each body: of those that are there in every task, then by task.
_EVERYWHERE = {
    "world": "room",
    "table": "table",
    **{name: "arm" if name.startswith("link") else "gripper" for name in _ROBOT},
}
_MONEY = {f"{shelf}_money": "held" for shelf in ("bottom", "middle", "top")}
_CLASS_OF: dict[str, dict[str, str]] = {
    "reach_target": {"target": "ball", "distractor0": "ball", "distractor1": "ball"},
    "push_button": {"button": "button", "cap": "button"},
    "pick_and_lift": {
        "target": "block",
        "distractor0": "block",
        "distractor1": "block",
        "goal": "marker",
    },
    "pick_up_cup": {"target": "cup", "distractor": "cup", "spot": "marker"},
    "put_knife_on_chopping_board": {"board": "board", "block": "holder", "knife": "held"},
    "take_money_out_safe": {"safe": "safe", "mat": "marker", **_MONEY},
    "put_money_in_safe": {"safe": "safe", "money": "held"},
    "take_umbrella_out_of_umbrella_stand": {"stand": "holder", "umbrella": "held"},
    "stack_wine": {"rack": "holder", "bottle": "held"},
    "slide_block_to_target": {"block": "block", "target": "marker"},
}


@dataclass(frozen=True, eq=False)
class View:
    """An image of S x S pixels and its labels; `robomtl.data.scenes.SceneImages` holds many.

    Attributes:
        rgb: (S, S, 3) uint8 colours.
        segmentation: (S, S) int8 index into `robomtl.data.scenes.CLASSES`, -1 for nothing.
        depth: (S, S) float32 metres along the optical axis, 0 where nothing is seen.
        normals: (S, S, 3) float32 unit normals in the camera frame (x left, y up, z forward), all
            zero where they are unknown.
        camera: (4, 4) camera-to-world matrix.
    """

    rgb: NDArray[np.uint8]
    segmentation: NDArray[np.int8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    camera: Array


class DenseRenderer:
    """Draws random scenes of one task: its things, the arm anywhere near home, a roaming camera.

    Nothing is simulated: things are where an episode begins, in any of its variations, and the
    arm is put into joint positions in which it touches nothing. The camera looks from a random
    place on a hemisphere at a place near one of the things or near the gripper.

    Args:
        task: One of `robomtl.envs.TASKS`.
        size: Of the square images, in pixels.

    Raises:
        UnknownNameError: There is no such task.
        RenderingError: There is no usable OpenGL.
    """

    def __init__(self, task: str, size: int) -> None:
        if task not in TASKS:
            raise UnknownNameError("task", task, TASKS)
        self.size = size
        self.world = World()
        self.task = TASKS[task](self.world)
        self.task.build()
        self.world.spec.worldbody.add_camera(name=_CAMERA, fovy=FIELD_OF_VIEW)
        self.world.compile()
        model = self.world.model
        # Through a translucent thing, depth would be that of what is behind it.
        model.geom_rgba[:, 3] = 1
        classes = _EVERYWHERE | _CLASS_OF[task]
        names = [model.body(i).name for i in range(model.nbody)]
        self._class_of_body = np.array([CLASSES.index(classes[name]) for name in names], np.int8)
        # The arm's base stands on the table.
        self._moving = [model.body(name).id for name in _ROBOT[1:]]
        self._renderer = Renderer(self.world, _FINER * size, _FINER * size)

    def render(self, variation: int, seed: int) -> View:
        """Draw the scene of a variation and a seed: the same numbers give the same bits.

        Raises:
            UnknownNameError: There is no such variation.
            PlacementError: No scene was found in which arm and camera have room.
        """
        if not 0 <= variation < self.task.variations:
            valid = [f"0 to {self.task.variations - 1}"]
            raise UnknownNameError(f"variation of {self.task.name}", variation, valid)
        # A string's own hash differs from process to process.
        identity = zlib.crc32(f"scenes of {self.task.name}".encode())
        rng = np.random.default_rng([identity, variation, seed])
        for _ in range(_ATTEMPTS):
            self._arrange(rng, variation)
            if self._robot_is_free():
                view = self._view()
                seen = view.depth[view.depth > 0]
                if seen.size and seen.min() > _NEAREST:
                    return view
        raise PlacementError(
            f"no scene of {self.task.name} (variation {variation}, seed {seed}) in which arm and "
            f"camera have room was found in {_ATTEMPTS} attempts"
        )

    def close(self) -> None:
        """Give the OpenGL context back."""
        self._renderer.close()

    def _arrange(self, rng: np.random.Generator, variation: int) -> None:
        world = self.world
        world.home()
        self.task.randomise(rng, variation)
        joints = np.clip(rng.normal(HOME, _JITTER), *JOINT_RANGE.T)
        for number, angle in enumerate(joints, start=1):
            world.data.joint(f"joint{number}").qpos[0] = angle
        opening = rng.uniform(0, FINGER_TRAVEL)
        for finger in ("left_finger", "right_finger"):
            world.data.joint(finger).qpos[0] = opening
        world.forward()
        places = [*(body.pose.position for body in world.bodies.values()), world.tip.position]
        self._point_camera(_look(places[rng.integers(len(places))] + rng.normal(0, 0.06, 3), rng))

    def _point_camera(self, pose: Pose) -> None:
        camera = self.world.model.camera(_CAMERA)
        camera.pos, camera.quat = pose.position, pose.wxyz
        self.world.forward()

    def _robot_is_free(self) -> bool:
        touching = self.world.model.geom_bodyid[self.world.data.contact.geom]
        return not np.isin(touching, self._moving).any()

    def _view(self) -> View:
        self._renderer.update()
        rgb, depth = self._renderer.rgb_and_depth(_CAMERA)
        far = self.world.model.vis.map.zfar
        body = np.where(depth < 0.999 * far, self._renderer.mask(_CAMERA), -1)
        focal = len(depth) / (2 * np.tan(np.radians(FIELD_OF_VIEW) / 2))
        normals = normals_from_depth(depth, body, focal)
        middle = slice(_FINER // 2, None, _FINER)
        body, depth = body[middle, middle], depth[middle, middle]
        camera = np.eye(4)
        data, number = self.world.data, self.world.model.camera(_CAMERA).id
        # MuJoCo's camera frame is x right, y up, z backward.
        camera[:3, :3] = data.cam_xmat[number].reshape(3, 3) * (-1, 1, -1)
        camera[:3, 3] = data.cam_xpos[number]
        blocks = rgb.reshape(self.size, _FINER, self.size, _FINER, 3)
        return View(
            rgb=np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8),
            segmentation=np.where(body >= 0, self._class_of_body[body], -1).astype(np.int8),
            depth=np.where(body >= 0, depth, 0).astype(np.float32),
            normals=normals[middle, middle],
            camera=camera,
        )


def _look(at: Array, rng: np.random.Generator) -> Pose:
    """A camera (MuJoCo's frame) on a hemisphere around a point, which it looks at, upright."""
    distance = rng.uniform(0.4, 1.0)
    azimuth, elevation = rng.uniform(-np.pi, np.pi), np.radians(rng.uniform(15, 75))
    level = np.cos(elevation)
    back = np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    return Pose(at + distance * back, np.stack([right, np.cross(back, right), back], axis=1))
