import copy
import pickle

import numpy as np
import pytest

from robomtl.data import CAMERAS, Observation, UnknownCameraError, UnknownFieldError
from robomtl.data.observation import LOW_DIM, check_cameras, field


def test_entries_read_as_attributes() -> None:
    pose = np.arange(7.0)
    observation = Observation(gripper_pose=pose)
    assert observation.gripper_pose is pose
    assert observation["gripper_pose"] is pose
    assert "gripper_pose" in dir(observation)


def test_a_missing_field_names_those_that_are_there() -> None:
    observation = Observation(gripper_open=np.array(1.0), wrist_rgb=np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(AttributeError, match="no 'wrist_depth'; it has: gripper_open, wrist_rgb"):
        _ = observation.wrist_depth


def test_setting_an_attribute_does_not_silently_miss_the_dict() -> None:
    with pytest.raises(AttributeError):
        Observation().gripper_open = np.array(1.0)


@pytest.mark.parametrize(
    "duplicate",
    [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy, copy.copy],
    ids=["pickle", "deepcopy", "copy"],
)
def test_observations_survive_being_copied_and_sent_to_other_processes(duplicate) -> None:
    observation = Observation(gripper_open=np.array(1.0))
    twin = duplicate(observation)
    assert type(twin) is Observation
    assert twin.gripper_open == 1.0


def test_every_camera_and_low_dimensional_name_is_a_field() -> None:
    for name, shape in LOW_DIM.items():
        assert field(name).shape == shape
    for camera in CAMERAS:
        assert field(f"{camera}_rgb").dtype == np.uint8
        assert field(f"{camera}_depth").fits((128, 96))
        assert not field(f"{camera}_depth").fits((128, 96, 1))


@pytest.mark.parametrize("name", ["gripper_pos", "wrist_point_cloud", "elbow_rgb", "wrist_", ""])
def test_an_unknown_field_lists_the_valid_names(name: str) -> None:
    with pytest.raises(UnknownFieldError, match=r"gripper_pose.*<camera>_depth.*overhead"):
        field(name)


def test_cameras_are_checked() -> None:
    check_cameras(CAMERAS)
    with pytest.raises(UnknownCameraError, match="'side'; valid names: left_shoulder"):
        check_cameras(("wrist", "side"))
    with pytest.raises(UnknownCameraError, match="only once"):
        check_cameras(("wrist", "wrist"))
