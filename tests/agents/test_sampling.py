import numpy as np
import pytest
import torch

from robomtl.agents import AugmentationConfig, BatchError, KeyframeBatches
from robomtl.agents.sampling import _shifted
from tests.agents.toy import CAMERAS, TASKS

QUIET = AugmentationConfig(shift=0, contrast=0, brightness=0, noise=0, proprioception=0, jitter=0)


def make(data, *, tasks=TASKS, batch_size=5, seed=0, augmentation=QUIET):
    return KeyframeBatches(
        data,
        tasks,
        cameras=CAMERAS,
        batch_size=batch_size,
        seed=seed,
        augmentation=augmentation,
    )


def test_every_batch_holds_every_task_and_the_rest_goes_round(toy):
    batches = make(toy, batch_size=5)
    totals = np.zeros(2, dtype=int)
    for i in range(6):
        task = batches[i].inputs.task
        counts = np.bincount(task, minlength=2)
        assert counts.sum() == 5
        assert counts.min() >= 2
        assert (task.diff() >= 0).all()
        totals += counts
    assert totals.tolist() == [15, 15]


def test_ten_tasks_in_a_batch_of_32_get_three_each_and_two_rotating(toy):
    data = {**toy, "task": np.arange(len(toy["task"])) % 10}
    batches = make(data, tasks=[f"task{k}" for k in range(10)], batch_size=32)
    counts = np.stack([batches.counts(i) for i in range(5)])
    assert (counts.sum(1) == 32).all()
    assert counts.min() == 3
    assert (counts.sum(0) == 16).all()


def test_a_batch_depends_on_its_number_and_the_seed_alone(toy):
    noisy = AugmentationConfig()
    one, two = make(toy, augmentation=noisy), make(toy, augmentation=noisy)
    two[0], two[5]
    assert one[3].inputs.rgb.equal(two[3].inputs.rgb)
    assert one[3].action.equal(two[3].action)
    assert not one[3].inputs.rgb.equal(one[4].inputs.rgb)
    assert not one[3].inputs.rgb.equal(make(toy, seed=1, augmentation=noisy)[3].inputs.rgb)


def test_every_sample_of_a_task_is_drawn(toy):
    batches = make(toy, batch_size=16)
    seen = {tuple(action) for i in range(30) for action in batches[i].action[:, :3].tolist()}
    assert len(seen) == len(np.unique(toy["action"][:, :3], axis=0))


def test_without_augmentation_a_batch_is_rows_of_the_dataset(toy):
    batch = make(toy)[0]
    for i in range(5):
        row = int(np.abs(toy["action"] - batch.action[i].numpy()).sum(1).argmin())
        for c, name in enumerate(CAMERAS):
            expected = torch.from_numpy(toy[f"{name}_rgb"][row]) / 255
            torch.testing.assert_close(batch.inputs.rgb[i, c], expected)
        torch.testing.assert_close(
            batch.inputs.gripper_pose[i], torch.from_numpy(toy["gripper_pose"][row]).float()
        )
        assert batch.inputs.stage[i] == toy["stage"][row]
        assert batch.symmetry[i] == toy["symmetry"][row]


def test_shifting_an_image_moves_colours_and_points_together(toy):
    moved = make(
        toy,
        augmentation=AugmentationConfig(
            shift=5, contrast=0, brightness=0, noise=0, proprioception=0, jitter=0
        ),
    )[0]
    still = make(toy)[0]
    different = False
    for i in range(5):
        for c in range(3):
            a, b = moved.inputs, still.inputs
            target = b.cloud[i, c, 32, 32]
            distance = (a.cloud[i, c] - target).norm(dim=-1)
            y, x = divmod(int(distance.argmin()), 64)
            different |= (y, x) != (32, 32)
            assert abs(y - 32) <= 5
            assert abs(x - 32) <= 5
            assert distance.min() < 1e-5
            torch.testing.assert_close(a.rgb[i, c, y, x], b.rgb[i, c, 32, 32])
    assert different


@pytest.mark.parametrize("move", [(0, 0), (2, 0), (-3, 0), (0, 1), (0, -2), (3, -1), (-2, 2)])
def test_a_shifted_image_repeats_its_edges(move):
    image = np.arange(36).reshape(1, 6, 6)
    rows = np.clip(np.arange(6) - move[0], 0, 5)
    columns = np.clip(np.arange(6) - move[1], 0, 5)
    shifted = _shifted(image, np.array([move]))
    np.testing.assert_array_equal(shifted[0], image[0][rows][:, columns])


def test_varied_colours_stay_colours_and_leave_points_alone(toy):
    varied = make(toy, augmentation=AugmentationConfig(shift=0))[0].inputs
    still = make(toy)[0].inputs
    assert varied.rgb.min() >= 0
    assert varied.rgb.max() <= 1
    difference = (varied.rgb - still.rgb).abs()
    assert 0.005 < difference.mean() < 0.15
    assert varied.cloud.equal(still.cloud)


def test_a_batch_too_small_for_the_tasks_says_how_large_it_must_be(toy):
    with pytest.raises(BatchError, match="batch size of 2 or more"):
        make(toy, batch_size=1)


def test_a_task_without_samples_is_named(toy):
    with pytest.raises(BatchError, match="stack_cups"):
        make(toy, tasks=(*TASKS, "stack_cups"))
