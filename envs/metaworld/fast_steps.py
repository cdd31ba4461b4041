"""Meta-World's environments with the same results to the bit, in less time.

What is left out has no influence on what comes out; the tests hold all fifty tasks against the
originals. Nothing of Meta-World's own classes is changed: `fast` makes subclasses.
"""

from __future__ import annotations

from functools import cache, cached_property
from inspect import getattr_static, getmembers, isfunction
from types import FunctionType
from typing import Any

import mujoco
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from metaworld.sawyer_xyz_env import SawyerXYZEnv
from numpy.typing import NDArray

from robomtl.envs.metaworld.names import task_class
from robomtl.envs.metaworld.quick_rewards import norm, quick_numpy, quick_reward_utils
from robomtl.envs.metaworld.rotation import QuickRotation

Array = NDArray[np.float64]

_ONE = np.float32(1)  # as wide as actions are, so that they are not widened

#: What Meta-World's tasks find under these names instead, with the same results to the bit.
_STAND_INS = {
    "Rotation": QuickRotation,
    "np": quick_numpy,
    "reward_utils": quick_reward_utils,
    "tolerance": quick_reward_utils.tolerance,
}


class FastSteps(SawyerXYZEnv):
    """Steps and resets without the work whose results nobody reads."""

    _still = False

    @cached_property
    def _bodies(self) -> dict[str, int]:
        return {self.model.body(k).name: k for k in range(self.model.nbody)}

    @cached_property
    def _sites(self) -> dict[str, int]:
        return {self.model.site(k).name: k for k in range(self.model.nsite)}

    @cached_property
    def _pads(self) -> list[int]:
        return [self.model.geom(pad).id for pad in ("leftpad_geom", "rightpad_geom")]

    def step(self, action: NDArray[Any]) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        """Take an action of Meta-World, (4,): `aim`, `simulate` and `outcome`."""
        self.aim(action)
        self.simulate()
        observation, reward, info = self.outcome(action)
        return observation, reward, False, self.curr_path_length == self.max_path_length, info

    def aim(self, action: NDArray[Any]) -> None:
        """Set what the action asks of the hand and of the fingers."""
        if self.curr_path_length >= self.max_path_length:
            raise ValueError(f"the episode ended after {self.max_path_length} steps; reset it")
        self.set_xyz_action(action[:3])
        fingers = self.data.ctrl
        fingers[0] = action[3]
        fingers[1] = -action[3]

    def simulate(self) -> None:
        """Advance physics by a step of Meta-World's."""
        mujoco.mj_step(self.model, self.data, nstep=self.frame_skip)
        # Not for the places alone: the solver begins the next step where this leaves it.
        mujoco.mj_forward(self.model, self.data)
        self.curr_path_length += 1

    def outcome(self, action: NDArray[Any]) -> tuple[Array, float, dict[str, Any]]:
        """Return the observation (39,), the reward and more of the step that an action led to."""
        space = self.sawyer_observation_space
        observation = np.minimum(np.maximum(self._get_obs(), space.low), space.high)
        return observation, *self.evaluate_state(observation, action)

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
        """Move the body that the hand is tied to; it stays upright, as a reset puts it."""
        delta = np.minimum(np.maximum(action, -_ONE), _ONE) * self.action_scale
        low, high = self.mocap_low.tolist(), self.mocap_high.tolist()
        place = self.data.mocap_pos[0]
        place[:] = [
            min(max(old + change, least), most)
            for old, change, least, most in zip(
                place.tolist(), delta.tolist(), low, high, strict=True
            )
        ]

    def touching_object(self, object_geom_id: int) -> bool:
        """Whether both pads press on a geom."""
        contact, force = self.data.contact, self.data.efc_force
        pressure = dict.fromkeys(self._pads, 0.0)
        for pair, row in zip(contact.geom.tolist(), contact.efc_address.tolist(), strict=True):
            for pad in self._pads:
                if pad in pair and object_geom_id in pair:
                    pressure[pad] += force[row]
        return all(total > 0 for total in pressure.values())

    @property
    def tcp_center(self) -> Array:
        """Where the fingertips meet, (3,)."""
        place, sites = self.data.site_xpos, self._sites
        return (place[sites["rightEndEffector"]] + place[sites["leftEndEffector"]]) / 2.0

    def get_body_com(self, body_name: str) -> Array:
        """Where a body's frame is, (3,); it goes on to say so."""
        return self.data.xpos[self._bodies[body_name]]

    def _get_site_pos(self, site_name: str) -> Array:
        return self.data.site_xpos[self._sites[site_name]].copy()

    def _get_obs(self) -> Array:
        goal = self._get_pos_goal()
        if self._partially_observable:
            goal = np.zeros_like(goal)
        now = self._get_curr_obs_combined_no_goal()
        observation = np.concatenate((now, self._prev_obs, goal))
        self._prev_obs = now
        return observation

    def _get_curr_obs_combined_no_goal(self) -> Array:
        place, bodies = self.data.xpos, self._bodies
        opening = norm(place[bodies["rightclaw"]] - place[bodies["leftclaw"]]) / 0.1
        now = [*place[bodies["hand"]].tolist(), min(max(opening, 0.0), 1.0)]
        positions = self._get_pos_objects().tolist()
        quaternions = self._get_quat_objects().tolist()
        for k in range(len(positions) // 3):
            now += positions[3 * k : 3 * k + 3] + quaternions[4 * k : 4 * k + 4]
        now += [0.0] * (4 + self._obs_obj_max_len - len(now))
        return np.array(now)


class WithoutVisuals(FastSteps):
    """Has a model without what is only looked at.

    Shapes that collide with nothing, weigh nothing (their bodies state their inertia) and have no
    name are half of all. Without them, cameras, lights and textures a model is made in a fraction
    of the time, and a step takes less.
    """

    def _initialize_simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        spec = mujoco.MjSpec.from_file(self.fullpath)
        for geom in list(spec.geoms):
            ghost = geom.contype == 0 and geom.conaffinity == 0
            if ghost and not geom.name and geom.parent.explicitinertial:
                geom.delete()
        for seen in (*spec.cameras, *spec.lights):
            seen.delete()
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
    ours = type(f"Fast{original.__name__}", (base, original), {})
    # Some tasks name their own class to call what rewards they add up.
    stand_ins = {**_STAND_INS, original.__name__: ours}
    for name, function in getmembers(original, isfunction):
        if getattr(ours, name) is function and stand_ins.keys() & set(function.__code__.co_names):
            function = _seeing(function, stand_ins)
            static = isinstance(getattr_static(original, name), staticmethod)
            setattr(ours, name, staticmethod(function) if static else function)
    return ours


def _seeing(function: FunctionType, stand_ins: dict[str, Any]) -> FunctionType:
    """Return a function of Meta-World's that finds our stand-ins; its own stays."""
    seen = {**function.__globals__, **stand_ins}
    ours = FunctionType(
        function.__code__, seen, function.__name__, function.__defaults__, function.__closure__
    )
    ours.__kwdefaults__ = function.__kwdefaults__
    return ours
