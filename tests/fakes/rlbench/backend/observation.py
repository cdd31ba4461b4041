_IMAGES = [
    f"{camera}_{kind}"
    for camera in ("left_shoulder", "right_shoulder", "overhead", "wrist", "front")
    for kind in ("rgb", "depth", "mask", "point_cloud")
]
_LOW_DIM = [
    "joint_velocities",
    "joint_positions",
    "joint_forces",
    "gripper_open",
    "gripper_pose",
    "gripper_matrix",
    "gripper_joint_positions",
    "gripper_touch_forces",
    "task_low_dim_state",
    "misc",
]


class Observation:
    def __init__(self, **fields):
        assert sorted(fields) == sorted([*_IMAGES, *_LOW_DIM])
        self.__dict__.update(fields)
