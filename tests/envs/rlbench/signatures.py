"""The signatures of RLBench 1.2.0 and PyRep 4.1.0.3, as far as robomtl relies on them."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

# Read in their sources; "*" stands for a default that is an object.
SIGNATURES = {
    "rlbench.environment.Environment.__init__": (
        "self, action_mode, dataset_root='', obs_config=*, headless=False, static_positions=False, "
        "robot_setup='panda', randomize_every=None, frequency=1, "
        "visual_randomization_config=None, dynamics_randomization_config=None, "
        "attach_grasped_objects=True, shaped_rewards=False, arm_max_velocity=1.0, "
        "arm_max_acceleration=4.0"
    ),
    "rlbench.environment.Environment.launch": "self",
    "rlbench.environment.Environment.shutdown": "self",
    "rlbench.environment.Environment.get_task": "self, task_class",
    "rlbench.task_environment.TaskEnvironment.__init__": (
        "self, pyrep, robot, scene, task, action_mode, dataset_root, obs_config, "
        "static_positions=False, attach_grasped_objects=True, shaped_rewards=False"
    ),
    "rlbench.task_environment.TaskEnvironment.get_name": "self",
    "rlbench.task_environment.TaskEnvironment.set_variation": "self, v",
    "rlbench.task_environment.TaskEnvironment.variation_count": "self",
    "rlbench.task_environment.TaskEnvironment.reset": "self, demo=None",
    "rlbench.task_environment.TaskEnvironment.get_observation": "self",
    "rlbench.task_environment.TaskEnvironment.step": "self, action",
    "rlbench.task_environment.TaskEnvironment.get_demos": (
        "self, amount, live_demos=False, image_paths=False, callable_each_step=None, "
        "max_attempts=10, random_selection=True, from_episode_number=0"
    ),
    "rlbench.observation_config.CameraConfig.__init__": (
        "self, rgb=True, rgb_noise=*, depth=True, depth_noise=*, point_cloud=True, mask=True, "
        "image_size=(128, 128), render_mode=*, masks_as_one_channel=True, depth_in_meters=False"
    ),
    "rlbench.observation_config.ObservationConfig.__init__": (
        "self, left_shoulder_camera=None, right_shoulder_camera=None, overhead_camera=None, "
        "wrist_camera=None, front_camera=None, joint_velocities=True, joint_velocities_noise=*, "
        "joint_positions=True, joint_positions_noise=*, joint_forces=True, joint_forces_noise=*, "
        "gripper_open=True, gripper_pose=True, gripper_matrix=False, "
        "gripper_joint_positions=False, gripper_touch_forces=False, wrist_camera_matrix=False, "
        "record_gripper_closing=False, task_low_dim_state=False"
    ),
    "rlbench.demo.Demo.__init__": "self, observations, random_seed=None, num_reset_attempts=None",
    "rlbench.demo.Demo.__len__": "self",
    "rlbench.demo.Demo.__getitem__": "self, i",
    "rlbench.utils.name_to_task_class": "task_file",
    "rlbench.action_modes.action_mode.MoveArmThenGripper.__init__": (
        "self, arm_action_mode, gripper_action_mode"
    ),
    "rlbench.action_modes.action_mode.MoveArmThenGripper.action": "self, scene, action",
    "rlbench.action_modes.arm_action_modes.EndEffectorPoseViaPlanning.__init__": (
        "self, absolute_mode=True, frame=*, collision_checking=False"
    ),
    "rlbench.action_modes.arm_action_modes.EndEffectorPoseViaPlanning.action": (
        "self, scene, action"
    ),
    "rlbench.action_modes.gripper_action_modes.Discrete.__init__": (
        "self, attach_grasped_objects=True, detach_before_open=True"
    ),
    "rlbench.action_modes.gripper_action_modes.Discrete.action": "self, scene, action",
    "rlbench.backend.task.Task.__init__": "self, pyrep, robot, name=None",
    "rlbench.backend.task.Task.variation_count": "self",
    "rlbench.backend.task.Task.init_episode": "self, index",
    "rlbench.backend.exceptions.DemoError.__init__": "self, message, task",
    "rlbench.backend.exceptions.NoWaypointsError.__init__": "self, message, task",
    "rlbench.backend.exceptions.WaypointError.__init__": "self, message, task",
    "pyrep.PyRep.__init__": "self",
    "pyrep.PyRep.shutdown": "self",
}


def _find(path: str) -> Any:
    """What a dotted path names: a module's function, or a method of one of its classes."""
    module, _, rest = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), rest)
    except ModuleNotFoundError:
        return getattr(_find(module), rest)


def _shown(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if default is inspect.Parameter.empty:
        return parameter.name
    plain = isinstance(default, (bool, int, float, str, tuple, type(None)))
    return f"{parameter.name}={default!r}" if plain else f"{parameter.name}=*"


def signature(path: str) -> str:
    """The signature of what a dotted path names, written as in `SIGNATURES`."""
    parameters = inspect.signature(_find(path)).parameters
    return ", ".join(map(_shown, parameters.values()))
