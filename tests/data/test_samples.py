from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robomtl.data import (
    DataError,
    Demo,
    InvalidKeyframesError,
    augment,
    keyframe_action,
    keyframe_samples,
    low_dim_samples,
)
from robomtl.data.layout import LOW_DIM_FIELDS

keyframe_lists = st.sets(st.integers(1, 80), min_size=1, max_size=12).map(sorted)


def test_samples_lead_from_keyframe_to_keyframe() -> None:
    assert keyframe_samples(range(31), [10, 20, 30]) == [(0, 0), (10, 1), (20, 2)]
    assert keyframe_samples(range(6), [5]) == [(0, 0)]


def test_frames_on_the_way_come_from_the_first_half_of_each_segment() -> None:
    assert keyframe_samples(range(31), [10, 30], every=2) == [
        *((frame, 0) for frame in (0, 2, 4)),
        *((frame, 1) for frame in (10, 12, 14, 16, 18, 20)),
    ]


@given(keyframe_lists, st.integers(1, 15))
def test_every_sample_is_paired_with_the_keyframe_after_it(
    keyframes: list[int], every: int
) -> None:
    demo = range(keyframes[-1] + 1)
    pairs = keyframe_samples(demo, keyframes, every)
    frames = [frame for frame, _ in pairs]
    assert frames == sorted(set(frames))
    assert set(keyframe_samples(demo, keyframes)) <= set(pairs)
    for frame, stage in pairs:
        start = keyframes[stage - 1] if stage else 0
        assert stage == sum(keyframe <= frame for keyframe in keyframes)
        assert 2 * (frame - start) <= keyframes[stage] - start
        assert (frame - start) % every == 0


@given(keyframe_lists, st.integers(1, 15))
def test_augmentation_restarts_the_rest_of_the_chain_every_few_frames(
    keyframes: list[int], every: int
) -> None:
    expected = []
    for start in range(0, keyframes[-1], every):
        at = start
        for stage, keyframe in enumerate(keyframes):
            if keyframe > start:
                expected.append((at, stage))
                at = keyframe
    assert augment(keyframes[-1] + 1, keyframes, every) == expected


def test_augmentation_repeats_late_pairs() -> None:
    assert augment(31, [15, 30]) == [(0, 0), (15, 1), (10, 0), (15, 1), (20, 1)]


@pytest.mark.parametrize("keyframes", [[], [0, 9], [3, 3, 9], [5, 4, 9], [4], [4, 10], [-1]])
def test_what_cannot_be_keyframes_of_the_demo_is_refused(keyframes: list[int]) -> None:
    with pytest.raises(InvalidKeyframesError, match="increase strictly from 1 or more to 9"):
        keyframe_samples(range(10), keyframes)
    with pytest.raises(InvalidKeyframesError, match="increase strictly from 1 or more to 9"):
        augment(10, keyframes)


def test_a_distance_of_no_frames_is_refused() -> None:
    with pytest.raises(DataError, match="every must be at least 1 frame, not 0"):
        keyframe_samples(range(10), [9], every=0)
    with pytest.raises(DataError, match="every must be at least 1 frame, not 0"):
        augment(10, [9], every=0)


@pytest.mark.parametrize("w", [-0.5, 0.5, 0.0])
def test_labels_have_quaternions_of_one_sign(make_demo: Callable[..., Demo], w: float) -> None:
    poses = np.tile([0.1, 0.2, 0.3, 0.5, -0.5, 0.5, w], (4, 1))
    demo = make_demo(frames=4, columns={"gripper_pose": poses, "gripper_open": [0, 0, 1, 0]})
    action = keyframe_action(demo, 2)
    sign = -1 if w < 0 else 1
    np.testing.assert_array_equal(action[:3], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(action[3:7], sign * poses[0, 3:])
    assert action[7] == 1
    assert demo.column("gripper_pose")[2, 6] == w


def test_samples_hold_the_frame_that_is_seen_and_the_keyframe_that_follows(
    make_demo: Callable[..., Demo],
) -> None:
    demo = make_demo(frames=10, symmetry=np.arange(1, 11))
    keyframes = [4, 9]
    samples = low_dim_samples(demo, keyframes, keyframe_samples(demo, keyframes, every=2))
    assert samples.keys() == LOW_DIM_FIELDS.keys() - {"task"}
    for name, values in samples.items():
        assert values.dtype == LOW_DIM_FIELDS[name].dtype
        assert values.shape == (4, *LOW_DIM_FIELDS[name].shape)
    assert samples["frame"].tolist() == [0, 2, 4, 6]
    assert samples["stage"].tolist() == [0, 0, 1, 1]
    assert samples["symmetry"].tolist() == [5, 5, 10, 10]
    np.testing.assert_array_equal(
        samples["joint_positions"], demo.column("joint_positions")[[0, 2, 4, 6]]
    )
    for action, keyframe in zip(samples["action"], [4, 4, 9, 9], strict=True):
        np.testing.assert_array_equal(action, keyframe_action(demo, keyframe))
