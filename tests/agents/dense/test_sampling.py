"""Batches are a function of their number, and keep images and labels together."""

import numpy as np
import pytest
import torch

from robomtl.agents.dense import BatchSizeError, SceneBatches, dense_batch
from tests.agents.dense.examples import random_scenes


@pytest.fixture(scope="module")
def scenes():
    return random_scenes()


def batches(scenes, **settings):
    return SceneBatches(scenes, **{"batch_size": 3, "seed": 0, **settings})


def equal(one, other):
    return all(torch.equal(value, vars(other)[name]) for name, value in vars(one).items())


def test_batches_do_not_depend_on_which_were_made_before(scenes):
    in_order = [batches(scenes)[i] for i in range(8)]
    anew = batches(scenes)
    assert all(equal(anew[i], in_order[i]) for i in reversed(range(8)))


@pytest.mark.parametrize("other", [{"seed": 1}, {"stream": 1}])
def test_seeds_and_streams_differ(scenes, other):
    ours, theirs = batches(scenes), batches(scenes, **other)
    assert not any(equal(ours[i], theirs[i]) for i in range(6))


def same_image(image, rgb):
    """Whether an image (3, H, W) in [-1, 1] is a stored one (H, W, 3), or its mirror image."""
    values = ((image.permute(1, 2, 0) + 1) * 127.5).round().numpy()
    return np.array_equal(values, rgb) or np.array_equal(values, rgb[:, ::-1])


def test_an_epoch_shows_every_image_at_most_once_and_the_next_in_another_order(scenes):
    def seen(epoch):
        images = [image for i in range(3) for image in batches(scenes)[3 * epoch + i].image]
        rgb = scenes.splits["train"].rgb
        return [next(r for r in range(10) if same_image(image, rgb[r])) for image in images]

    first, second = seen(0), seen(1)
    assert len(set(first)) == len(set(second)) == 9  # of 10: a batch of one would remain
    assert first != second


def test_labels_stay_with_their_pixels(scenes):
    mirrored = 0
    for number in range(6):
        batch = batches(scenes)[number]
        value = ((batch.image[:, 0] + 1) * 127.5).round().long()
        assert torch.equal(value, 10 * batch.segmentation)
        assert torch.equal(batch.depth[:, 0], 1 + batch.segmentation.float())
        images = scenes.splits["train"]
        for image, normals, noise in zip(batch.image, batch.normals, batch.noise, strict=True):
            row = next(r for r in range(10) if same_image(image, images.rgb[r]))
            values = ((image.permute(1, 2, 0) + 1) * 127.5).round().numpy()
            flipped = not np.array_equal(values, images.rgb[row])
            expected = images.normals[row].astype(np.float32)
            own_noise = scenes.noise("train", row)
            if flipped:
                expected = expected[:, ::-1] * np.array([-1, 1, 1], np.float32)
                own_noise = own_noise[:, ::-1]
            np.testing.assert_array_equal(normals.permute(1, 2, 0), expected)
            np.testing.assert_array_equal(noise[0], own_noise)
            mirrored += flipped
    assert 0 < mirrored < 18


def test_a_batch_of_a_split_is_what_is_stored(scenes):
    batch = dense_batch(scenes, "test", [2, 0])
    stored = scenes.splits["test"]
    assert torch.equal(batch.segmentation, torch.from_numpy(stored.segmentation[[2, 0]]).long())
    assert torch.equal(batch.noise[1, 0], torch.from_numpy(scenes.noise("test", 0)))
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    assert batch.image.min() >= -1
    assert batch.image.max() <= 1
    kinds = {name: (value.dtype, tuple(value.shape)) for name, value in vars(batch).items()}
    assert kinds == {
        "image": (torch.float32, (2, 3, 16, 16)),
        "segmentation": (torch.int64, (2, 16, 16)),
        "depth": (torch.float32, (2, 1, 16, 16)),
        "normals": (torch.float32, (2, 3, 16, 16)),
        "noise": (torch.float32, (2, 1, 16, 16)),
    }


@pytest.mark.parametrize("size", [0, 11])
def test_a_batch_of_more_images_than_there_are_is_refused(scenes, size):
    with pytest.raises(ValueError, match="give a batch size of 1 to 10"):
        batches(scenes, batch_size=size)


@pytest.mark.parametrize("size", [0, 11])
def test_a_batch_that_cannot_be_drawn_says_how_large_it_may_be(scenes, size):
    with pytest.raises(BatchSizeError, match="batch size of 1 to 10"):
        batches(scenes, batch_size=size)
