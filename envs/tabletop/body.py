"""The things that stand on the table: how a task builds them, and asks about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from robomtl.envs.tabletop.groups import Group
from robomtl.envs.tabletop.poses import Array, Pose

if TYPE_CHECKING:
    from robomtl.envs.tabletop.world import World

Colour = tuple[float, float, float]

_BOX, _CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
_SPHERE, _CAPSULE = mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CAPSULE
_MESH = mujoco.mjtGeom.mjGEOM_MESH


class Shape:
    """One geom of a body: a colour that can change, and a volume that can be asked about."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.name = name

    @property
    def geom(self) -> int:
        """MuJoCo's id of the geom."""
        return int(self._world.model.geom(self.name).id)

    @property
    def pose(self) -> Pose:
        """Where the shape's centre is, in the world."""
        data, geom = self._world.data, self.geom
        return Pose(data.geom_xpos[geom].copy(), data.geom_xmat[geom].reshape(3, 3).copy())

    def recolour(self, colour: Colour) -> None:
        """Paint the shape."""
        self._world.model.geom_rgba[self.geom, :3] = colour

    def contains(self, point: ArrayLike) -> bool:
        """Whether a point in the world lies inside the shape (box, cylinder or sphere)."""
        model, geom = self._world.model, self.geom
        local = self.pose.inverse().point(point)
        size = model.geom_size[geom]
        kind = model.geom_type[geom]
        if kind == _BOX:
            return bool(np.all(np.abs(local) <= size))
        if kind == _CYLINDER:
            return bool(np.hypot(local[0], local[1]) <= size[0] and abs(local[2]) <= size[1])
        if kind == _SPHERE:
            return bool(np.linalg.norm(local) <= size[0])
        raise TypeError(f"shape {self.name!r} is neither a box, a cylinder nor a sphere")

    def meets(self, body: Body) -> bool:
        """Whether any part of a body's surface or inside overlaps the shape."""
        model, data = self._world.model, self._world.data
        return any(
            mujoco.mj_geomDistance(model, data, self.geom, geom, 0.01, None) <= 0
            for geom in body.solid_geoms
        )


class Body:
    """A rigid thing, or one jointed to another. Get one from `World.fixture`, `.object` or `.part`.

    While the world is being built, shapes are added to it; afterwards it can be placed, painted
    and asked where it is. Sizes are full extents in metres, positions are in the body's frame.
    """

    def __init__(self, world: World, name: str, spec: mujoco.MjsBody) -> None:
        self._world = world
        self.name = name
        self.spec = spec
        self.shapes: list[Shape] = []

    # Building ------------------------------------------------------------------------------

    def box(self, size: ArrayLike, at: ArrayLike = (0, 0, 0), **look: object) -> Shape:
        """Add a box of the given (3,) full size. See `_add` for the rest."""
        return self._add(_BOX, np.asarray(size, dtype=float) / 2, at, **look)  # type: ignore[arg-type]

    def cylinder(
        self, diameter: float, height: float, at: ArrayLike = (0, 0, 0), **look: object
    ) -> Shape:
        """Add a cylinder along the local z."""
        return self._add(_CYLINDER, (diameter / 2, height / 2, 0), at, **look)  # type: ignore[arg-type]

    def capsule(
        self, diameter: float, height: float, at: ArrayLike = (0, 0, 0), **look: object
    ) -> Shape:
        """Add a capsule along the local z; `height` is without its round ends."""
        return self._add(_CAPSULE, (diameter / 2, height / 2, 0), at, **look)  # type: ignore[arg-type]

    def sphere(self, diameter: float, at: ArrayLike = (0, 0, 0), **look: object) -> Shape:
        """Add a sphere."""
        return self._add(_SPHERE, (diameter / 2, 0, 0), at, **look)  # type: ignore[arg-type]

    def cone(
        self, diameter: float, height: float, at: ArrayLike = (0, 0, 0), **look: object
    ) -> Shape:
        """Add a cone of sixteen sides along the local z, its apex up at `at`."""
        angles = 2 * np.pi * np.arange(16) / 16
        rim = np.stack([np.cos(angles), np.sin(angles)], axis=1) * diameter / 2
        base = np.column_stack([rim, np.full(16, -height)])
        mesh = f"{self.name}/{len(self.shapes)}"
        # MuJoCo moves a mesh's origin to its centre of mass and geoms take that into account.
        self._world.spec.add_mesh(name=mesh, uservert=np.vstack([[0, 0, 0], base]).ravel())
        return self._add(_MESH, (0, 0, 0), at, mesh=mesh, **look)  # type: ignore[arg-type]

    def ring(
        self,
        diameter: float,
        height: float,
        thickness: float,
        at: ArrayLike = (0, 0, 0),
        *,
        taper: float = 0.0,
        **look: object,
    ) -> None:
        """Add an open wall around the local z, of twelve boxes.

        Args:
            diameter: Outer diameter.
            height: Its height.
            thickness: Thickness of the wall.
            at: Where its centre is.
            taper: Lean of the wall outwards, in radians.
            **look: As in `box`.
        """
        sides = 12
        radius = (diameter - thickness) / 2
        width = 2 * (radius + thickness / 2) * np.tan(np.pi / sides)
        for side in range(sides):
            angle = 2 * np.pi * side / sides
            turn = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
            lean = np.array([np.cos(taper / 2), 0, np.sin(taper / 2), 0])
            quaternion = np.empty(4)
            mujoco.mju_mulQuat(quaternion, turn, lean)
            offset = (radius * np.cos(angle), radius * np.sin(angle), 0)
            self._add(
                _BOX,
                (thickness / 2, width / 2, height / 2),
                np.asarray(at, dtype=float) + offset,
                quaternion=quaternion,
                **look,  # type: ignore[arg-type]
            )

    def _add(
        self,
        kind: mujoco.mjtGeom,
        size: ArrayLike,
        at: ArrayLike,
        *,
        colour: Colour = (0.6, 0.6, 0.6),
        alpha: float = 1.0,
        material: str | None = None,
        mesh: str | None = None,
        solid: bool = True,
        visible: bool = True,
        mass: float | None = None,
        friction: float | None = None,
        rotation: Array | None = None,
        quaternion: Array | None = None,
    ) -> Shape:
        """Add a geom.

        Args:
            kind: MuJoCo's geom type.
            size: MuJoCo's half sizes.
            at: (3,) its centre.
            colour: Red, green and blue, 0 to 1.
            alpha: Opacity.
            material: A material of the scene, drawn under `colour`.
            mesh: The scene's mesh that a geom of that kind shows.
            solid: Whether other things collide with it.
            visible: Whether it is drawn. An invisible shape that is not solid is a detection
                volume.
            mass: In kilograms; that of water unless given, and none for a detection volume.
            friction: Sliding friction coefficient, against anything. Unless given it is 1, or the
                other shape's own.
            rotation: (3, 3) its rotation.
            quaternion: (4,) the same as wxyz.
        """
        name = f"{self.name}/{len(self.shapes)}"
        if rotation is not None:
            quaternion = Pose(np.zeros(3), rotation).wxyz
        geom = self.spec.add_geom(
            name=name,
            type=kind,
            size=size,
            pos=at,
            quat=(1, 0, 0, 0) if quaternion is None else quaternion,
            rgba=(*colour, alpha),
            contype=2 if solid else 0,
            conaffinity=3 if solid else 0,
            group=Group.SCENE if visible else Group.HIDDEN,
            friction=(1.0 if friction is None else friction, 0.005, 0.0001),
            # Where two shapes touch, MuJoCo takes the greater friction unless one has priority.
            priority=0 if friction is None else 1,
            condim=4 if solid else 3,
        )
        if mass is None and not (solid or visible):
            mass = 0.0
        if mass is not None:
            geom.mass = mass
        if material is not None:
            geom.material = material
        if mesh is not None:
            geom.meshname = mesh
        shape = Shape(self._world, name)
        self.shapes.append(shape)
        return shape

    # Asking --------------------------------------------------------------------------------

    @property
    def id(self) -> int:
        """MuJoCo's id of the body."""
        return int(self._world.model.body(self.name).id)

    @property
    def solid_geoms(self) -> list[int]:
        """Ids of the geoms that things collide with."""
        model = self._world.model
        return [s.geom for s in self.shapes if model.geom_contype[s.geom]]

    @property
    def pose(self) -> Pose:
        """Where the body is, in the world."""
        data = self._world.data
        return Pose(data.xpos[self.id].copy(), data.xmat[self.id].reshape(3, 3).copy())

    @property
    def travel(self) -> float:
        """How far the body has slid along its joint, in metres (only for a `World.part`)."""
        return float(self._world.data.joint(self.name).qpos[0])

    def place(self, pose: Pose) -> None:
        """Put the body somewhere in the world, at rest."""
        data, model = self._world.data, self._world.model
        mocap = model.body_mocapid[self.id]
        if mocap >= 0:
            data.mocap_pos[mocap], data.mocap_quat[mocap] = pose.position, pose.wxyz
        else:
            joint = data.joint(self.name)
            joint.qpos[:] = (*pose.position, *pose.wxyz)
            joint.qvel[:] = 0

    def recolour(self, colour: Colour) -> None:
        """Paint every shape of the body."""
        for shape in self.shapes:
            shape.recolour(colour)
