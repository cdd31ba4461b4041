"""A gripper that flies, a ball, a table, and cameras that see the three."""

import numpy as np
from pyrep.errors import ConfigurationPathError

from rlbench.backend.exceptions import DemoError
from rlbench.backend.observation import Observation
from rlbench.backend.pictures import FAR, NEAR, extrinsics, intrinsics, picture
from rlbench.demo import Demo

HOME = np.array([0.2785, -0.008, 1.472, 0.0, 1.0, 0.0, 0.0])
SHOULDER = np.array([-0.267, -0.008, 1.08])
REACH = 0.9
STEP = 0.05  # seconds
# Joint angles are made up, but smooth in the position, as those of an arm are.
JACOBIAN = np.random.default_rng(0).normal(size=(7, 3))  # rad/m


class Scene:
    def __init__(self, obs_config):
        self._obs_config = obs_config
        self.task = None
        self.tip = HOME.copy()
        self.ball = np.array([0.25, 0.0, 0.8])

    def begin(self, variation):
        self.tip, self.gripper, self.held = HOME.copy(), 1.0, False
        self._velocity = np.zeros(7)
        self._variation = variation
        descriptions = self.task.init_episode(variation)
        self.ball = np.random.uniform([0.1, -0.25, 0.78], [0.4, 0.25, 0.9])  # noqa: NPY002
        return descriptions

    def path_to(self, pose):
        if np.linalg.norm(pose[:3] - SHOULDER) > REACH:
            raise ConfigurationPathError("Could not create path.")
        return self._follow(pose)

    def _follow(self, pose):
        """Moves with a gentle start and end, and yields after every step."""
        start, distance = self.tip.copy(), np.linalg.norm(pose[:3] - self.tip[:3])
        steps = max(8, int(distance / 0.02))
        for i in range(1, steps + 1):
            before = self.tip[:3]
            part = (1 - np.cos(np.pi * i / steps)) / 2
            position = start[:3] + part * (pose[:3] - start[:3])
            self.tip = np.append(position, pose[3:])
            self._velocity = JACOBIAN @ (position - before) / STEP
            if self.held:
                self.ball = position
            yield
        self._velocity = np.zeros(7)

    def set_gripper(self, opened):
        self.gripper = opened
        self.held = not opened and bool(np.linalg.norm(self.tip[:3] - self.ball) < 0.03)

    def get_demo(self, record=True, callable_each_step=None, randomly_place=True):
        frames = [self.get_observation()]
        for pose, opened in self.task.waypoints(self.ball):
            try:
                path = self.path_to(pose)
            except ConfigurationPathError as error:
                raise DemoError("Could not get a path for waypoint.", self.task) from error
            for _ in path:
                frames.append(self.get_observation())
            if opened is not None:
                self.set_gripper(opened)
                frames.append(self.get_observation())
        if not self.task.success(self)[0]:
            raise DemoError("Demo was completed, but was not successful.", self.task)
        return Demo(frames)

    def get_observation(self):
        fingers = 0.04 * self.gripper
        low_dim = {
            "joint_velocities": self._velocity.copy(),
            "joint_positions": JACOBIAN @ (self.tip[:3] - HOME[:3]),
            "joint_forces": np.zeros(7),
            "gripper_open": self.gripper,
            "gripper_pose": self.tip.copy(),
            "gripper_matrix": np.eye(4),
            "gripper_joint_positions": np.array([fingers, fingers]),
            "gripper_touch_forces": np.zeros(6),
            "task_low_dim_state": self.ball.copy(),
        }
        on = self._obs_config.low_dim
        fields = {name: value if on[name] else None for name, value in low_dim.items()}
        misc = {"variation_index": self._variation}
        for name, config in self._obs_config.cameras.items():
            images = dict.fromkeys(("rgb", "depth", "mask", "point_cloud"))
            if config.rgb or config.depth or config.point_cloud:
                size = config.image_size[0]
                rgb, depth = picture(name, size, self.tip, self.ball, self.task, self._variation)
                if not config.depth_in_meters:
                    depth = (depth - NEAR) / (FAR[name] - NEAR)
                images["rgb"] = rgb if config.rgb else None
                images["depth"] = depth if config.depth else None
                misc |= {
                    f"{name}_camera_extrinsics": extrinsics(name, self.tip),
                    f"{name}_camera_intrinsics": intrinsics(name, size),
                    f"{name}_camera_near": NEAR,
                    f"{name}_camera_far": FAR[name],
                }
            fields |= {f"{name}_{kind}": image for kind, image in images.items()}
        return Observation(**fields, misc=misc)
