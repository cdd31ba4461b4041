"""The room around the robot: floor, wall, table, light, and the textures they wear."""

from __future__ import annotations

import cv2
import mujoco
import numpy as np

from robomtl.envs.tabletop.groups import Group

#: Height of the table's top in the world, in metres.
TABLE_TOP = 0.75
_TABLE_X, _TABLE_Y = (-0.55, 1.10), (-0.55, 0.55)
_THICKNESS = 0.04


def _noise(rng: np.random.Generator, height: int, width: int, cells: tuple[int, int]) -> np.ndarray:
    """(height, width) smooth noise in -1..1, with about `cells` bumps along each axis."""
    coarse = rng.uniform(-1, 1, (cells[0], cells[1])).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _wood(light: tuple[int, int, int], contrast: float, seed: int, size: int = 512) -> bytes:
    """A PNG of boards with wavy grain along x."""
    rng = np.random.default_rng(seed)
    y = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    bend = _noise(rng, size, size, (6, 3)) * 0.02
    rings = np.sin(2 * np.pi * (y + bend) * 26 + 3 * _noise(rng, size, size, (20, 3)))
    fibre = _noise(rng, size, size, (256, 12))
    board = np.repeat(rng.uniform(-1, 1, 6), -(-size // 6))[:size, None]
    shade = 1 + contrast * (0.45 * rings + 0.35 * fibre + 0.5 * board)
    seams = (np.arange(size) % -(-size // 6) < 2)[:, None]
    image = np.clip(shade[..., None] * np.array(light), 0, 255)
    image = np.where(seams[..., None], image * 0.72, image).astype(np.uint8)
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def _tiles(size: int = 256) -> bytes:
    """A PNG of one pale floor tile with its joint."""
    rng = np.random.default_rng(7)
    image = np.full((size, size, 3), (206, 203, 196), dtype=np.float32)
    image += 5 * _noise(rng, size, size, (24, 24))[..., None]
    image[:4] = image[:, :4] = (168, 166, 160)
    return cv2.imencode(".png", np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])[1].tobytes()


def _add_texture(
    spec: mujoco.MjSpec, name: str, png: bytes, repeat: tuple[float, float], shininess: float
) -> None:
    """A material of the same name as its texture."""
    spec.assets = {**spec.assets, f"{name}.png": png}
    spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, file=f"{name}.png")
    material = spec.add_material(
        name=name, texrepeat=repeat, texuniform=False, specular=0.2, shininess=shininess
    )
    material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = name


def add_room(spec: mujoco.MjSpec) -> None:
    """Add floor (z = 0), teal wall, wooden table (top at `TABLE_TOP`), light and materials.

    The materials ``wood`` and ``dark_wood`` are there for tasks to use.
    """
    _add_texture(spec, "wood", _wood((214, 178, 132), 0.10, seed=1), (1, 1), 0.2)
    _add_texture(spec, "dark_wood", _wood((150, 96, 52), 0.16, seed=2), (1, 1), 0.3)
    _add_texture(spec, "tiles", _tiles(), (12, 12), 0.1)
    # Where a thing is exactly this gray, MuJoCo takes it for unpainted and draws the material's own
    # colour, which is white unless told otherwise.
    unpainted = (0.5, 0.5, 0.5, 1.0)
    spec.add_material(name="plastic", specular=0.5, shininess=0.6, rgba=unpainted)
    spec.add_material(name="metal", specular=0.8, shininess=0.8)

    visual = spec.visual
    visual.headlight.ambient[:] = (0.42, 0.42, 0.42)
    visual.headlight.diffuse[:] = (0.28, 0.28, 0.28)
    visual.headlight.specular[:] = (0.05, 0.05, 0.05)
    visual.map.znear, visual.map.zfar = 0.01, 10.0
    visual.quality.shadowsize = 2048
    visual.quality.offsamples = 0
    # The clipping planes above are lengths, not multiples of the model's extent.
    spec.stat.extent = 1.0
    spec.stat.center[:] = (0.3, 0, 0.9)

    world = spec.worldbody
    world.add_light(
        pos=(0.9, 0.7, 3.2),
        dir=(-0.25, -0.25, -0.95),
        directional=True,
        castshadow=True,
        diffuse=(0.55, 0.54, 0.5),
        specular=(0.25, 0.25, 0.25),
    )
    scenery = {"contype": 0, "conaffinity": 0, "group": Group.SCENE}
    box, plane = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_PLANE
    world.add_geom(
        name="floor",
        type=plane,
        size=(6, 6, 0.1),
        material="tiles",
        contype=2,
        conaffinity=3,
        group=Group.SCENE,
    )
    teal = (0.13, 0.33, 0.35, 1)
    world.add_geom(type=box, size=(0.05, 6, 2.5), pos=(-2.55, 0, 2.5), rgba=teal, **scenery)
    grey = (0.62, 0.65, 0.66, 1)
    for y in (-3.05, 3.05):
        world.add_geom(type=box, size=(6, 0.05, 2.5), pos=(0, y, 2.5), rgba=grey, **scenery)
    centre_x, half_x = sum(_TABLE_X) / 2, (_TABLE_X[1] - _TABLE_X[0]) / 2
    half_y = (_TABLE_Y[1] - _TABLE_Y[0]) / 2
    table = world.add_body(name="table", pos=(centre_x, 0, 0))
    table.add_geom(
        name="table",
        type=box,
        size=(half_x, half_y, _THICKNESS / 2),
        pos=(0, 0, TABLE_TOP - _THICKNESS / 2),
        material="wood",
        contype=2,
        conaffinity=3,
        condim=4,
        group=Group.SCENE,
    )
    height = (TABLE_TOP - _THICKNESS) / 2
    for sx in (-1, 1):
        for sy in (-1, 1):
            table.add_geom(
                type=box,
                size=(0.03, 0.03, height),
                pos=(sx * (half_x - 0.06), sy * (half_y - 0.06), height),
                rgba=(0.35, 0.35, 0.36, 1),
                **scenery,
            )
