"""The Franka Emika Panda: our own MJCF chain with Franka's published kinematics.

Frames are those of RLBench: the tip lies between the fingertips, its z axis is the approach
direction and its y axis the one along which the fingers open.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import mujoco
import numpy as np

from robomtl.envs.tabletop.groups import Group

#: Where the robot stands, in the world frame, in metres (fitted to RLBench's gripper poses).
BASE = (-0.267, -0.008, 0.746)
#: Where the axes of its first two joints meet, in metres; how far it reaches is measured from here.
SHOULDER = np.array(BASE) + (0, 0, 0.333)
#: Start configuration in radians; the tip is then at (0.2785, -0.008, 1.472), as in RLBench.
HOME = np.array([0.0, 0.159672, 0.0, -0.838377, 0.0, 1.240383, 0.785398])
#: Position limits of the seven joints in radians, from Franka's data sheet.
JOINT_RANGE = np.array(
    [
        [-2.8973, 2.8973],
        [-1.7628, 1.7628],
        [-2.8973, 2.8973],
        [-3.0718, -0.0698],
        [-2.8973, 2.8973],
        [-0.0175, 3.7525],
        [-2.8973, 2.8973],
    ]
)
#: Torque limits in N m and velocity limits in rad/s, from Franka's data sheet.
TORQUE_LIMIT = np.array([87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0])
VELOCITY_LIMIT = np.array([2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61])
#: Gains of the joint position controllers (ours): stiff, and critically damped by `DAMPING_GAIN`.
POSITION_GAIN = np.array([4500.0, 4500.0, 3500.0, 3500.0, 2000.0, 2000.0, 2000.0])
DAMPING_GAIN = POSITION_GAIN / 10
#: Travel of one finger, in metres.
FINGER_TRAVEL = 0.04
#: Grasp force limit of a finger, in newtons (Franka: 70 N continuous for both).
FINGER_FORCE = 35.0

_QUARTER = np.sqrt(0.5)
# Offset, quaternion (wxyz) and mass of links 1 to 7 in the frame of the link before. Masses are the
# identified ones of Gaz et al. 2019.
_LINKS = (
    ((0, 0, 0.333), (1, 0, 0, 0), 4.97),
    ((0, 0, 0), (_QUARTER, -_QUARTER, 0, 0), 0.646),
    ((0, -0.316, 0), (_QUARTER, _QUARTER, 0, 0), 3.228),
    ((0.0825, 0, 0), (_QUARTER, _QUARTER, 0, 0), 3.588),
    ((-0.0825, 0.384, 0), (_QUARTER, -_QUARTER, 0, 0), 1.226),
    ((0, 0, 0), (_QUARTER, _QUARTER, 0, 0), 1.667),
    ((0.088, 0, 0), (_QUARTER, _QUARTER, 0, 0), 0.735),
)
_WHITE = (0.93, 0.93, 0.92, 1)
_GREY = (0.26, 0.27, 0.29, 1)
_BLACK = (0.07, 0.07, 0.08, 1)
_COLOURS = (_WHITE, _WHITE, _WHITE, _WHITE, _WHITE, _WHITE, _WHITE, _GREY)


@cache
def _meshes() -> Path:
    """The folder of Franka's meshes in gymnasium-robotics, found without importing the package."""
    spec = importlib.util.find_spec("gymnasium_robotics")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "the Panda's meshes come with gymnasium-robotics: pip install gymnasium-robotics"
        )
    root = Path(spec.submodule_search_locations[0])
    return root / "envs" / "assets" / "kitchen_franka" / "franka_assets" / "meshes"


def add_panda(spec: mujoco.MjSpec, *, kinematics_only: bool = False) -> None:
    """Add the robot to a scene.

    Args:
        spec: The scene. It gains bodies ``link0``..``link7``, ``hand``, ``left_finger`` and
            ``right_finger``, joints ``joint1``..``joint7``, ``left_finger`` and ``right_finger``,
            actuators of the same names, the site ``tip`` and the detection volume ``grasp``.
        kinematics_only: Leave out geoms, fingers and actuators: enough for inverse kinematics.
    """
    if not kinematics_only:
        for name in (*(f"link{i}" for i in range(8)), "hand", "finger"):
            for kind in ("visual", "collision"):
                spec.add_mesh(name=f"{name}_{kind}", file=str(_meshes() / kind / f"{name}.stl"))

    body = spec.worldbody.add_body(name="link0", pos=BASE)
    if not kinematics_only:
        _add_shell(body, "link0", _WHITE, mass=2.9)
    for number, (offset, quaternion, mass) in enumerate(_LINKS, start=1):
        body = body.add_body(name=f"link{number}", pos=offset, quat=quaternion, gravcomp=1)
        body.add_joint(
            name=f"joint{number}",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=(0, 0, 1),
            range=JOINT_RANGE[number - 1],
            limited=True,
            damping=1.0,
            armature=0.1,
            # The drives also carry the arm's weight, within their limits.
            actgravcomp=True,
            actfrclimited=True,
            actfrcrange=(-TORQUE_LIMIT[number - 1], TORQUE_LIMIT[number - 1]),
        )
        if kinematics_only:
            # Any inertia will do where nothing moves by force.
            body.mass, body.inertia, body.explicitinertial = mass, (0.1, 0.1, 0.1), True
        else:
            _add_shell(body, f"link{number}", _COLOURS[number], mass)
            _add_position_actuator(
                spec,
                f"joint{number}",
                POSITION_GAIN[number - 1],
                DAMPING_GAIN[number - 1],
                TORQUE_LIMIT[number - 1],
                JOINT_RANGE[number - 1],
            )
    # Franka's hand is turned by -45 degrees on the flange; RLBench's tip frame is turned by a
    # further half turn, so that x points back to the robot's base at home.
    half_turn = 0.5 * (-np.pi / 4)
    hand = body.add_body(
        name="hand",
        pos=(0, 0, 0.107),
        quat=(np.cos(half_turn), 0, 0, np.sin(half_turn)),
        gravcomp=1,
    )
    hand.add_site(name="tip", pos=(0, 0, 0.1034), quat=(0, 0, 0, 1), group=Group.HIDDEN)
    if kinematics_only:
        hand.mass, hand.inertia, hand.explicitinertial = 0.73, (0.01, 0.01, 0.01), True
        return
    _add_shell(hand, "hand", _WHITE, mass=0.73)
    # RLBench attaches what it finds in this box between the fingers: 2 x 10 x 4.5 cm, ending at
    # the tip. Only that between open fingers counts: 8 cm of the 10.
    hand.add_geom(
        name="grasp",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(0.01, 0.04, 0.0225),
        pos=(0, 0, 0.1034 - 0.0225),
        contype=0,
        conaffinity=0,
        group=Group.HIDDEN,
        mass=0,
    )
    for side, sign in (("left", 1), ("right", -1)):
        finger = hand.add_body(
            name=f"{side}_finger",
            pos=(0, 0, 0.0584),
            quat=(1, 0, 0, 0) if sign > 0 else (0, 0, 0, 1),
            gravcomp=1,
        )
        finger.add_joint(
            name=f"{side}_finger",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, 1, 0),
            range=(0, FINGER_TRAVEL),
            limited=True,
            damping=10.0,
            armature=0.1,
        )
        for kind, group in (("visual", Group.PRETTY), ("collision", Group.FAST)):
            finger.add_geom(
                type=mujoco.mjtGeom.mjGEOM_MESH,
                meshname=f"finger_{kind}",
                rgba=_BLACK,
                contype=0,
                conaffinity=0,
                group=group,
                mass=0,
            )
        # Two boxes touch better than a mesh: the pad at the fingertip, and the finger behind it.
        for size, centre in (
            ((0.0105, 0.004, 0.009), (0, 0.004, 0.0445)),
            ((0.0105, 0.0065, 0.018), (0, 0.015, 0.018)),
        ):
            finger.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=size,
                pos=centre,
                contype=1,
                conaffinity=0,
                group=Group.HIDDEN,
                friction=(1.5, 0.02, 0.0001),
                condim=4,
                mass=0.015,
            )
        _add_position_actuator(
            spec, f"{side}_finger", 1500.0, 60.0, FINGER_FORCE, (0, FINGER_TRAVEL)
        )


def _add_shell(body: mujoco.MjsBody, name: str, rgba: tuple[float, ...], mass: float) -> None:
    """A link's fine mesh for people and its hull for contacts and for fast rendering."""
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=f"{name}_visual",
        rgba=rgba,
        contype=0,
        conaffinity=0,
        group=Group.PRETTY,
        mass=0,
    )
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=f"{name}_collision",
        rgba=rgba,
        contype=1,
        conaffinity=0,
        group=Group.FAST,
        mass=mass,
    )


def _add_position_actuator(
    spec: mujoco.MjSpec,
    joint: str,
    gain: float,
    damping: float,
    force: float,
    control_range: tuple[float, float] | np.ndarray,
) -> None:
    """A position servo: force = gain * (control - q) - damping * qdot, limited to +-force."""
    actuator = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.gainprm[0] = gain
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    actuator.biasprm[:3] = (0, -gain, -damping)
    actuator.forcelimited, actuator.forcerange = True, (-force, force)
