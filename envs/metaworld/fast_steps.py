"""Meta-World's environments with the same results to the bit, in less time.

What is left out has no influence on what comes out; the tests hold all fifty tasks against the
originals. Nothing of Meta-World's own classes is changed: `fast` makes subclasses.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mujoco
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from metaworld.sawyer_xyz_env import SawyerXYZEnv
from numpy.typing import NDArray

from robomtl.envs.metaworld.names import task_class
from robomtl.envs.metaworld.rotation import with_quick_rotation

Array = NDArray[np.float64]


class FastSteps(SawyerXYZEnv):
    """Steps and resets without the work whose results nobody reads."""

    _still = False

    def do_simulation(self, ctrl: Any, n_frames: int) -> None:
        """Advance physics; without the external forces on bodies, which no task reads."""
        if self._still:
            return
        self.data.ctrl[:] = ctrl
        mujoco.mj_step(self.model, self.data, nstep=n_frames)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an episode, moving the hand home once rather than twice.

        The original resets twice. All that outlives its first time, since the data are cleared in
        between, is where the goal puts the fixtures; no physics is needed for that.
        """
        self.curr_path_length = 0
        self.place()
        observation, info = MujocoEnv.reset(self)
        observation[18:36] = observation[:18]
        return observation, info

    def place(self) -> None:
        """Put everything where the goal wants it, and the hand nowhere: no time passes."""
        self._still = True
        try:
            self.reset_model()
        finally:
            self._still = False

    def set_xyz_action(self, action: NDArray[Any]) -> None:
        """Move the body that the hand is tied to."""
        delta = np.minimum(np.maximum(action, -1), 1) * self.action_scale
        self.data.mocap_pos[0] = np.minimum(
            np.maximum(self.data.mocap_pos[0] + delta, self.mocap_low), self.mocap_high
        )
        self.data.mocap_quat[0] = (1, 0, 1, 0)

    def touching_object(self, object_geom_id: int) -> bool:
        """Whether both pads press on a geom."""
        contact = self.data.contact
        first, second = contact.geom1, contact.geom2
        on_object = (first == object_geom_id) | (second == object_geom_id)
        if not on_object.any():
            return False
        force = self.data.efc_force[contact.efc_address]
        for pad in self._ids("geom", "leftpad_geom", "rightpad_geom"):
            # Python's sum adds from the left, NumPy's in pairs.
            if sum(force[on_object & ((first == pad) | (second == pad))]) <= 0:
                return False
        return True

    def _ids(self, kind: str, *names: str) -> tuple[int, ...]:
        ids: dict[tuple[str, ...], tuple[int, ...]] = self.__dict__.setdefault("_known_ids", {})
        if names not in ids:
            ids[names] = tuple(getattr(self.model, kind)(name).id for name in names)
        return ids[names]

    def _get_curr_obs_combined_no_goal(self) -> Array:
        hand, right, left = self._ids("body", "hand", "rightclaw", "leftclaw")
        place = self.data.xpos
        observation = np.zeros(4 + self._obs_obj_max_len)
        observation[:3] = place[hand]
        opening = float(np.linalg.norm(place[right] - place[left])) / 0.1
        observation[3] = min(max(opening, 0.0), 1.0)
        positions, quaternions = self._get_pos_objects(), self._get_quat_objects()
        for k in range(len(positions) // 3):
            thing = observation[4 + 7 * k : 11 + 7 * k]
            thing[:3] = positions[3 * k : 3 * k + 3]
            thing[3:] = quaternions[4 * k : 4 * k + 4]
        return observation


class WithoutVisuals(FastSteps):
    """Compiles the model without the arm's meshes and all textures, which takes most of the time.

    The meshes collide with nothing, weigh nothing (their bodies state their inertia) and have no
    name. They become points, so that every index stays what it was.
    """

    def _initialize_simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        spec = mujoco.MjSpec.from_file(self.fullpath)
        for geom in spec.geoms:
            ghost = geom.contype == 0 and geom.conaffinity == 0
            mesh = geom.type == mujoco.mjtGeom.mjGEOM_MESH
            if mesh and ghost and not geom.name and geom.parent.explicitinertial:
                geom.type = mujoco.mjtGeom.mjGEOM_SPHERE
                geom.size = [1e-3] * 3
                geom.meshname = ""
        used = {geom.meshname for geom in spec.geoms}
        for mesh in list(spec.meshes):
            if mesh.name not in used:
                mesh.delete()
        for material in spec.materials:
            material.textures = [""] * len(material.textures)
        for texture in list(spec.textures):
            texture.delete()
        model = spec.compile()
        return model, mujoco.MjData(model)


@cache
def fast(task: str, visuals: bool = False) -> type[FastSteps]:
    """A subclass of a task's class in Meta-World that does the same in less time.

    Args:
        task: Name of the task.
        visuals: Keep what only cameras see.

    Raises:
        UnknownNameError: There is no such task.
    """
    original = task_class(task)
    base = FastSteps if visuals else WithoutVisuals
    quaternions = original._get_quat_objects
    own = {}
    if "Rotation" in quaternions.__code__.co_names:
        own["_get_quat_objects"] = with_quick_rotation(quaternions)
    return type(f"Fast{original.__name__}", (base, original), own)
