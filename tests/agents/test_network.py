from dataclasses import fields, replace

import pytest
import torch

from robomtl.agents import (
    AugmentationConfig,
    KeyframeBatches,
    KeyframeNetwork,
    KeyframePolicy,
    NetworkConfig,
    UnsuitableImagesError,
    UnsuitableSettingError,
)
from robomtl.agents.zoom import crop_around
from tests.agents.toy import CAMERAS, TASKS


@pytest.fixture
def batch(toy):
    return KeyframeBatches(
        toy, TASKS, cameras=CAMERAS, batch_size=4, seed=0, augmentation=AugmentationConfig()
    )[0]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return KeyframeNetwork((3, 3))


def test_attention_on_one_pixel_returns_that_pixels_world_point(network, batch):
    # The query's last entry is the logit of the gripper's own position; features are >= 0.
    def only(logits, chosen):
        hot = torch.full_like(logits, -1e4)
        return hot.index_put_((torch.arange(len(hot)), chosen), torch.tensor(0.0))

    chosen = torch.tensor([0, 31, 1024 + 5, 3 * 1024])
    original = network._attention
    network._attention = lambda *args: only(original(*args), chosen)
    guess = network(batch.inputs)
    cloud = batch.inputs.cloud[:, :, ::2, ::2]
    torch.testing.assert_close(guess.anchor[0], cloud[0, 0, 0, 0])
    torch.testing.assert_close(guess.anchor[1], cloud[1, 0, 0, 31])
    torch.testing.assert_close(guess.anchor[2], cloud[2, 1, 0, 5])
    torch.testing.assert_close(guess.anchor[3], batch.inputs.gripper_pose[3, :3])


@pytest.mark.parametrize("size", [16, 100])
def test_images_that_cannot_be_halved_or_cropped_are_refused(network, batch, size):
    inputs = batch.inputs
    rgb, cloud = (x.new_zeros(4, 3, size, size, 3) for x in (inputs.rgb, inputs.cloud))
    message = f"{size} x {size} pixels: both numbers must be multiples of 16, 32 or more"
    with pytest.raises(UnsuitableImagesError, match=message):
        network(replace(inputs, rgb=rgb, cloud=cloud))
    with pytest.raises(UnsuitableImagesError, match=message):
        KeyframePolicy(network, TASKS, CAMERAS, size)


@pytest.mark.parametrize("crop", [8, 16, 24])
def test_crops_may_be_of_any_size_that_can_be_halved(batch, crop):
    small = KeyframeNetwork((3, 3), config=NetworkConfig(widths=(8, 8, 16, 16), crop=crop))
    assert small(batch.inputs).position.shape == (4, 3)


@pytest.mark.parametrize("crop", [-8, 0, 4, 12, 30])
def test_crops_that_cannot_be_halved_are_refused(crop):
    with pytest.raises(UnsuitableSettingError, match=f"multiple of 8, 8 or more, not {crop}"):
        NetworkConfig(crop=crop)


def test_attention_never_leaves_the_workspace(network, batch):
    low, high = torch.tensor(network.config.workspace)
    guess = network(batch.inputs)
    pixels = guess.points[:, :-1]
    outside = ((pixels < low) | (pixels > high)).any(-1)
    weights = guess.logits.softmax(-1)
    assert outside.any()
    assert (weights[:, :-1][outside] == 0).all()
    assert ((guess.anchor > low) & (guess.anchor < high)).all()


def test_a_stages_offset_moves_the_position_of_that_stage_alone(network, batch):
    inputs = replace(batch.inputs, stage=torch.tensor([0, 1, 1, 2]))
    before = network(inputs).position
    with torch.no_grad():
        network.table.tasks[0].offsets[1] += torch.tensor([0.1, 0.2, 0.3])
    moved = network(inputs).position - before
    expected = torch.zeros(4, 3)
    expected[1] = torch.tensor([0.1, 0.2, 0.3])
    assert inputs.task.tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(moved, expected, atol=1e-6, rtol=0)


def test_candidate_rotations_are_unit_quaternions(network, batch):
    norms = network(batch.inputs).rotations.norm(dim=-1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


def test_samples_of_a_batch_do_not_influence_each_other(network, batch):
    inputs = batch.inputs
    alone = type(inputs)(**{f.name: getattr(inputs, f.name)[2:3] for f in fields(inputs)})
    one, all_four = network(alone), network(inputs)
    for name in ("position", "rotations", "scores", "gripper"):
        torch.testing.assert_close(
            getattr(one, name), getattr(all_four, name)[2:3], atol=1e-4, rtol=1e-4
        )


def test_a_crop_shows_what_lies_around_the_point_in_every_camera(batch):
    inputs = batch.inputs
    images = torch.cat((inputs.rgb, inputs.cloud), dim=-1).flatten(0, 1)
    centre = inputs.cloud[:, 0, 32, 20]  # a point that the first camera sees
    crops = crop_around(images, inputs.cloud, centre, size=16, radius=0.2)
    assert crops.shape == (4 * 3, 6, 16, 16)
    first = crops[::3]
    torch.testing.assert_close(first[:, 3:, 8, 8], torch.zeros(4, 3))
    torch.testing.assert_close(first[:, :3, 8, 8], inputs.rgb[:, 0, 32, 20])
    # Relative coordinates belong to the same pixels as the colours.
    torch.testing.assert_close(first[:, :3, 3, 5], inputs.rgb[:, 0, 27, 17])
    relative = (inputs.cloud[:, 0, 27, 17] - centre) / 0.2
    torch.testing.assert_close(first[:, 3:, 3, 5], relative.clamp(-1, 1))


def test_a_crop_at_the_border_stays_inside_the_image(batch):
    inputs = batch.inputs
    images = torch.cat((inputs.rgb, inputs.cloud), dim=-1).flatten(0, 1)
    crops = crop_around(images, inputs.cloud, inputs.cloud[:, 1, 0, 62], size=16, radius=0.2)
    torch.testing.assert_close(crops[1::3, :3].permute(0, 2, 3, 1), inputs.rgb[:, 1, :16, 48:64])
