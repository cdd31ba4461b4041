from pyrep.const import RenderMode

from rlbench.noise_model import Identity

NO_NOISE = Identity()


class CameraConfig:
    def __init__(
        self,
        rgb=True,
        rgb_noise=NO_NOISE,
        depth=True,
        depth_noise=NO_NOISE,
        point_cloud=True,
        mask=True,
        image_size=(128, 128),
        render_mode=RenderMode.OPENGL3,
        masks_as_one_channel=True,
        depth_in_meters=False,
    ):
        self.rgb = rgb
        self.depth = depth
        self.point_cloud = point_cloud
        self.mask = mask
        self.image_size = image_size
        self.depth_in_meters = depth_in_meters


class ObservationConfig:
    def __init__(
        self,
        left_shoulder_camera=None,
        right_shoulder_camera=None,
        overhead_camera=None,
        wrist_camera=None,
        front_camera=None,
        joint_velocities=True,
        joint_velocities_noise=NO_NOISE,
        joint_positions=True,
        joint_positions_noise=NO_NOISE,
        joint_forces=True,
        joint_forces_noise=NO_NOISE,
        gripper_open=True,
        gripper_pose=True,
        gripper_matrix=False,
        gripper_joint_positions=False,
        gripper_touch_forces=False,
        wrist_camera_matrix=False,
        record_gripper_closing=False,
        task_low_dim_state=False,
    ):
        self.cameras = {
            "left_shoulder": left_shoulder_camera or CameraConfig(),
            "right_shoulder": right_shoulder_camera or CameraConfig(),
            "overhead": overhead_camera or CameraConfig(),
            "wrist": wrist_camera or CameraConfig(),
            "front": front_camera or CameraConfig(),
        }
        self.low_dim = {
            "joint_velocities": joint_velocities,
            "joint_positions": joint_positions,
            "joint_forces": joint_forces,
            "gripper_open": gripper_open,
            "gripper_pose": gripper_pose,
            "gripper_matrix": gripper_matrix,
            "gripper_joint_positions": gripper_joint_positions,
            "gripper_touch_forces": gripper_touch_forces,
            "task_low_dim_state": task_low_dim_state,
        }
