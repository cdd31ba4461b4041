"""The simulated world: robot, table and the things of one task, and how time passes in it."""

from __future__ import annotations

import mujoco
import numpy as np

from robomtl.envs.tabletop.body import Body
from robomtl.envs.tabletop.cameras import add_cameras
from robomtl.envs.tabletop.panda import DAMPING_GAIN, FINGER_TRAVEL, HOME, POSITION_GAIN, add_panda
from robomtl.envs.tabletop.poses import Array, Pose
from robomtl.envs.tabletop.room import add_room

#: Integration step, and the time from one recorded frame to the next, in seconds.
TIMESTEP, FRAME_TIME = 0.0025, 0.05
SUBSTEPS = round(FRAME_TIME / TIMESTEP)

_STATE = int(
    mujoco.mjtState.mjSTATE_FULLPHYSICS
    | mujoco.mjtState.mjSTATE_CTRL
    | mujoco.mjtState.mjSTATE_EQ_ACTIVE
    | mujoco.mjtState.mjSTATE_MOCAP_POS
    | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)


class World:
    """A MuJoCo scene with the Panda on its table.

    It is built in two steps: a task adds its things with `fixture`, `object` and `part`; `compile`
    then makes the model. From then on the world can be stepped, saved and restored.
    """

    def __init__(self) -> None:
        self.spec = mujoco.MjSpec()
        self.spec.compiler.degree = False
        self.spec.option.timestep = TIMESTEP
        self.spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        self.spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        self.spec.option.impratio = 5
        # Touching at several points lets a cylinder stand still.
        self.spec.option.enableflags |= int(mujoco.mjtEnableBit.mjENBL_MULTICCD)
        # Contacts as hard as the step allows: fingers sink 0.2 mm into what they hold, not 4 mm.
        self.spec.default.geom.solref[:] = (2 * TIMESTEP, 1.0)
        self.spec.default.geom.solimp[:3] = (0.95, 0.99, 0.001)
        add_room(self.spec)
        add_panda(self.spec)
        add_cameras(self.spec)
        self.bodies: dict[str, Body] = {}
        self.graspables: list[Body] = []
        self.model: mujoco.MjModel
        self.data: mujoco.MjData

    # Building ------------------------------------------------------------------------------

    def fixture(self, name: str) -> Body:
        """Add something that stays where an episode places it, such as a safe."""
        return self._register(name, self.spec.worldbody.add_body(name=name, mocap=True))

    def object(self, name: str, *, graspable: bool = False) -> Body:
        """Add something that moves freely.

        Args:
            name: What it is called.
            graspable: Whether closing the gripper on it attaches it, as in RLBench.
        """
        spec = self.spec.worldbody.add_body(name=name)
        spec.add_freejoint(name=name)
        body = self._register(name, spec)
        if graspable:
            self.graspables.append(body)
            weld = self.spec.add_equality(
                name=name,
                type=mujoco.mjtEq.mjEQ_WELD,
                objtype=mujoco.mjtObj.mjOBJ_BODY,
                name1="hand",
                name2=name,
                active=False,
            )
            weld.solref[:] = (2 * TIMESTEP, 1.0)
            weld.solimp[:3] = (0.99, 0.999, 0.0001)
        return body

    def part(
        self, name: str, of: Body, *, axis: tuple[float, float, float], travel: float, spring: float
    ) -> Body:
        """Add something that slides on another body and springs back.

        Args:
            name: What it is called.
            of: What it slides on.
            axis: Direction of the slide in the frame of `of`.
            travel: How far it slides, in metres.
            spring: Its stiffness in N/m; it rests pressed against the stop at 0.
        """
        spec = of.spec.add_body(name=name, gravcomp=1)
        spec.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=axis,
            range=(0, travel),
            limited=True,
            stiffness=spring,
            damping=20.0,
            # Contacts and stops are as hard as what they hold is heavy, so it must not be light.
            armature=0.5,
            solref_limit=(2 * TIMESTEP, 1.0),
            solimp_limit=(0.99, 0.999, 0.0005, 0.5, 2.0),
        )
        # A part may slide into what it slides on. MuJoCo would hold it back: a fixture counts as
        # part of the room, and the room collides with everything.
        self.spec.add_exclude(bodyname1=of.name, bodyname2=name)
        return self._register(name, spec)

    def _register(self, name: str, spec: mujoco.MjsBody) -> Body:
        self.bodies[name] = Body(self, name, spec)
        return self.bodies[name]

    def compile(self) -> None:
        """Make the model; nothing can be added any more."""
        self.model = self.spec.compile()
        self.data = mujoco.MjData(self.model)
        model = self.model
        self._arm_qpos = np.array([model.joint(f"joint{i}").qposadr[0] for i in range(1, 8)])
        self._arm_dofs = np.array([model.joint(f"joint{i}").dofadr[0] for i in range(1, 8)])
        self._arm_ctrl = np.array([model.actuator(f"joint{i}").id for i in range(1, 8)])
        fingers = ("left_finger", "right_finger")
        self._finger_qpos = np.array([model.joint(f).qposadr[0] for f in fingers])
        self._finger_ctrl = np.array([model.actuator(f).id for f in fingers])
        self._finger_bodies = [model.body(f).id for f in fingers]
        self._tip = model.site("tip").id
        self._grasp_volume = model.geom("grasp").id
        # What changes colour from episode to episode is part of the state.
        self._painted = [s.geom for body in self.bodies.values() for s in body.shapes]
        self.home()

    # Robot ---------------------------------------------------------------------------------

    def home(self) -> None:
        """Reset: the arm in its start configuration, the gripper open, everything at rest."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._arm_qpos] = HOME
        self.data.ctrl[self._arm_ctrl] = HOME
        self.data.qpos[self._finger_qpos] = FINGER_TRAVEL
        self.data.ctrl[self._finger_ctrl] = FINGER_TRAVEL
        mujoco.mj_forward(self.model, self.data)

    @property
    def joints(self) -> Array:
        """(7,) joint positions in radians."""
        return self.data.qpos[self._arm_qpos]

    @property
    def joint_velocities(self) -> Array:
        """(7,) in rad/s."""
        return self.data.qvel[self._arm_dofs]

    @property
    def joint_forces(self) -> Array:
        """(7,) torques of the joints' drives in N m, the compensation of gravity included."""
        return self.data.qfrc_actuator[self._arm_dofs]

    @property
    def fingers(self) -> Array:
        """(2,) how far each finger is open, in metres."""
        return self.data.qpos[self._finger_qpos]

    @property
    def tip(self) -> Pose:
        """The gripper's tip in the world."""
        xmat = self.data.site_xmat[self._tip].reshape(3, 3)
        return Pose(self.data.site_xpos[self._tip].copy(), xmat.copy())

    @property
    def gripper_open(self) -> bool:
        """Whether the gripper is more than 90 % open and holds nothing.

        RLBench asks the first finger alone, which stays wide open on a thing held off the middle,
        and on a wide one: such a gripper would never open to let go.
        """
        return self.grasped is None and bool(self.fingers.mean() > 0.9 * FINGER_TRAVEL)

    @property
    def touch_forces(self) -> Array:
        """(6,) contact force in newtons, in the world frame, on the left and the right finger."""
        forces = np.zeros(6)
        wrench = np.empty(6)
        for index, contact in enumerate(self.data.contact):
            for finger, body in enumerate(self._finger_bodies):
                owners = self.model.geom_bodyid[[contact.geom1, contact.geom2]]
                if body in owners:
                    mujoco.mj_contactForce(self.model, self.data, index, wrench)
                    force = contact.frame.reshape(3, 3).T @ wrench[:3]
                    forces[3 * finger : 3 * finger + 3] += force if owners[1] == body else -force
        return forces

    def drive(self, joints: Array, velocities: Array) -> None:
        """Set what the arm's controllers track.

        Args:
            joints: (7,) reference positions in radians.
            velocities: (7,) reference velocities in rad/s; feeding them forward keeps the damping
                from holding the arm back.
        """
        lead = DAMPING_GAIN / POSITION_GAIN * velocities
        self.data.ctrl[self._arm_ctrl] = joints + lead

    def drive_fingers(self, opening: float) -> None:
        """Set how far, in metres, the fingers' controllers want each finger open."""
        self.data.ctrl[self._finger_ctrl] = opening

    # Grasping ------------------------------------------------------------------------------

    @property
    def grasped(self) -> Body | None:
        """What is attached to the gripper."""
        for body in self.graspables:
            if self.data.eq_active[self.model.equality(body.name).id]:
                return body
        return None

    def graspable_in_hand(self) -> Body | None:
        """The first graspable thing that reaches into the box between the fingers."""
        for body in self.graspables:
            for geom in body.solid_geoms:
                distance = mujoco.mj_geomDistance(
                    self.model, self.data, self._grasp_volume, geom, 0.01, None
                )
                if distance <= 0:
                    return body
        return None

    def attach(self, body: Body) -> None:
        """Fix a body to the hand where it is now."""
        index = self.model.equality(body.name).id
        hand = self.model.body("hand").id
        data = self.data
        hand_pose = Pose(data.xpos[hand].copy(), data.xmat[hand].reshape(3, 3).copy())
        relative = hand_pose.inverse() @ body.pose
        self.model.eq_data[index, :3] = 0
        self.model.eq_data[index, 3:6] = relative.position
        self.model.eq_data[index, 6:10] = relative.wxyz
        self.data.eq_active[index] = 1

    def release(self) -> None:
        """Let go of whatever is attached."""
        self.data.eq_active[:] = 0

    # Time ----------------------------------------------------------------------------------

    def step(self) -> None:
        """Let `TIMESTEP` pass."""
        mujoco.mj_step(self.model, self.data)

    def forward(self) -> None:
        """Bring everything that follows from positions and velocities up to date."""
        mujoco.mj_forward(self.model, self.data)

    def refresh(self) -> None:
        """Bring poses up to date with the joints; after `step` they are a step behind."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def state(self) -> Array:
        """(S,) everything that an episode changes: physics, attachments, places and colours."""
        physics = np.empty(mujoco.mj_stateSize(self.model, _STATE))
        mujoco.mj_getState(self.model, self.data, physics, _STATE)
        return np.concatenate([physics, self.model.geom_rgba[self._painted].ravel()])

    def copy_to(self, data: mujoco.MjData) -> None:
        """Copy the physics' state into other data of this world's model."""
        physics = np.empty(mujoco.mj_stateSize(self.model, _STATE))
        mujoco.mj_getState(self.model, self.data, physics, _STATE)
        mujoco.mj_setState(self.model, data, physics, _STATE)

    def restore(self, state: Array) -> None:
        """Go back to a state that `state` returned.

        Raises:
            ValueError: The state is not one of this world.
        """
        size = mujoco.mj_stateSize(self.model, _STATE)
        expected = size + 4 * len(self._painted)
        if state.shape != (expected,):
            raise ValueError(
                f"the state has shape {state.shape}, this world's have ({expected},): "
                "it belongs to another task or to another version of it"
            )
        mujoco.mj_setState(self.model, self.data, state[:size].copy(), _STATE)
        self.model.geom_rgba[self._painted] = state[size:].reshape(-1, 4)
        mujoco.mj_forward(self.model, self.data)
        held = self.grasped
        if held is not None:
            self.attach(held)
