import numpy as np
import pytest
import torch

from robomtl.agents import (
    ImageSizeError,
    KeyframeNetwork,
    KeyframePolicy,
    MissingInputError,
    PolicyFileError,
    UnknownTaskError,
)
from robomtl.data import Observation
from tests.agents.toy import CAMERAS, TASKS


@pytest.fixture(scope="module")
def policy():
    torch.manual_seed(0)
    return KeyframePolicy(KeyframeNetwork((3, 2)), TASKS, CAMERAS, 64)


@pytest.fixture
def observation(toy):
    fields = {name: toy[name][0] for name in toy if name.startswith(CAMERAS)}
    fields["gripper_pose"] = toy["gripper_pose"][0]
    fields["gripper_open"] = np.array(1.0)
    fields["timestep"] = np.array(0)
    return Observation(fields)


def test_an_action_is_a_position_a_unit_quaternion_and_a_gripper_state(policy, observation):
    action = policy.act(observation, "grasp_cube")
    assert action.shape == (8,)
    assert action.dtype == np.float64
    assert np.linalg.norm(action[3:7]) == pytest.approx(1, abs=1e-12)
    assert action[6] >= 0
    assert action[7] in (0, 1)


def test_a_saved_policy_acts_as_before(policy, observation, tmp_path):
    policy.save(tmp_path / "run" / "policy.pt")
    loaded = KeyframePolicy.load(tmp_path / "run" / "policy.pt")
    for task in TASKS:
        np.testing.assert_array_equal(loaded.act(observation, task), policy.act(observation, task))
    assert loaded.tasks == TASKS
    assert loaded.cameras == CAMERAS
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["policy.pt"]


def test_the_timestep_is_the_stage_and_stays_at_the_last_one(policy, observation):
    actions = []
    for timestep in range(5):
        observation["timestep"] = np.array(timestep)
        actions.append(policy.act(observation, "grasp_bar"))
    assert not np.array_equal(actions[0], actions[1])
    for late in actions[2:]:
        np.testing.assert_array_equal(late, actions[1])


def test_asking_twice_gives_the_same_action(policy, observation):
    np.testing.assert_array_equal(
        policy.act(observation, "grasp_cube"), policy.act(observation, "grasp_cube")
    )


def test_attention_maps_share_one_unit_of_attention(policy, observation):
    maps = policy.attention(observation, "grasp_cube")
    assert tuple(maps) == CAMERAS
    assert all(m.shape == (32, 32) and (m >= 0).all() for m in maps.values())
    assert 0 < sum(m.sum() for m in maps.values()) < 1


def test_an_unknown_task_lists_those_that_were_trained(policy, observation):
    with pytest.raises(UnknownTaskError, match=r"fold_shirt.*grasp_cube.*grasp_bar"):
        policy.act(observation, "fold_shirt")


@pytest.mark.parametrize("field", ["wrist_rgb", "left_shoulder_depth", "gripper_pose", "timestep"])
def test_a_missing_input_is_named_with_what_is_needed(policy, observation, field):
    del observation[field]
    with pytest.raises(MissingInputError, match=rf"{field}.*right_shoulder"):
        policy.act(observation, "grasp_cube")


def test_a_damaged_policy_file_is_refused_by_name(policy, tmp_path):
    path = tmp_path / "policy.pt"
    policy.save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PolicyFileError, match=r"policy\.pt"):
        KeyframePolicy.load(path)


def test_a_file_that_is_something_else_is_refused(tmp_path):
    torch.save({"format": "cake"}, tmp_path / "other.pt")
    with pytest.raises(PolicyFileError, match="cake"):
        KeyframePolicy.load(tmp_path / "other.pt")


def test_a_policy_of_another_version_is_refused(policy, tmp_path):
    path = tmp_path / "old.pt"
    policy.save(path)
    content = torch.load(path, weights_only=True)
    content["weights"].popitem()
    torch.save(content, path)
    with pytest.raises(PolicyFileError, match="another version"):
        KeyframePolicy.load(path)


def test_a_policy_file_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save({"format": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(PolicyFileError):
        KeyframePolicy.load(tmp_path / "evil.pt")


def test_a_missing_policy_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        KeyframePolicy.load(tmp_path / "nothing.pt")


def test_images_of_another_size_are_refused_with_the_right_size(policy, observation):
    observation["wrist_depth"] = np.zeros((32, 32), np.float32)
    with pytest.raises(ImageSizeError, match=r"wrist_depth is 32 x 32.*image_size=64"):
        policy.act(observation, "grasp_cube")
