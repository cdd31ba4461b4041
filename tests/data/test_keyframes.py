from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robomtl.data import (
    DataError,
    Demo,
    InvalidDemoError,
    UnknownKeyframeMethodError,
    find_keyframes,
)
from robomtl.data.keyframes import METHODS

STILL, MOVING = 0.0, 0.5


def record(gripper: str, speed: str) -> list[SimpleNamespace]:
    """A demo drawn by hand: `o`/`c` is open or closed, `-`/`.` is moving or still."""
    assert len(gripper) == len(speed)
    return [
        SimpleNamespace(
            gripper_open=float(state == "o"),
            joint_velocities=np.full(7, STILL if pace == "." else MOVING),
        )
        for state, pace in zip(gripper, speed, strict=True)
    ]


def oracle(states: list[float], velocities: list[list[float]]) -> list[int]:
    """ARM's rule once more, as sets of frames instead of one walk with a counter."""
    length = len(states)
    stops: list[int] = []
    for i in range(length - 2):
        around = {states[j] for j in (i - 2, i - 1, i, i + 1)}  # negative indices count from behind
        slow = all(-0.1 <= velocity <= 0.1 for velocity in velocities[i])
        if slow and len(around) == 1 and all(i - stop > 4 for stop in stops):
            stops.append(i)
    changes = [i for i in range(1, length) if states[i] != states[i - 1]]
    keyframes = set(stops) | set(changes) | {length - 1}
    return sorted(keyframes - {0} - {length - 2})


# Speeds on both sides of the tolerance, and on it.
speeds = st.sampled_from([0.0, -0.05, 0.1, -0.1, np.nextafter(0.1, 1), np.nextafter(-0.1, -1), 2.0])
arms = st.one_of(st.just([0.0] * 3), st.lists(speeds, min_size=3, max_size=3))


@st.composite
def recordings(draw: st.DrawFn) -> list[SimpleNamespace]:
    """Demos of 2 to 60 frames, whose gripper keeps its state for a while."""
    runs = draw(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(1, 15)), min_size=1))
    states = [state for state, frames in runs for _ in range(frames)][:60]
    states = states if len(states) > 1 else states * 2
    velocities = draw(st.lists(arms, min_size=len(states), max_size=len(states)))
    return [
        SimpleNamespace(gripper_open=state, joint_velocities=np.array(velocity))
        for state, velocity in zip(states, velocities, strict=True)
    ]


@given(recordings())
def test_the_rule_agrees_with_an_independent_oracle(demo: list[SimpleNamespace]) -> None:
    states = [frame.gripper_open for frame in demo]
    velocities = [frame.joint_velocities.tolist() for frame in demo]
    assert find_keyframes(demo) == oracle(states, velocities)


@given(recordings(), st.sampled_from(sorted(METHODS)), st.integers(1, 70))
def test_keyframes_increase_leave_out_frame_0_and_end_with_the_last(
    demo: list[SimpleNamespace], method: str, count: int
) -> None:
    keyframes = find_keyframes(demo, method, count=count, rng=np.random.default_rng(0))
    assert all(type(frame) is int for frame in keyframes)
    assert keyframes == sorted(set(keyframes))
    assert keyframes[0] > 0
    assert keyframes[-1] == len(demo) - 1


@given(recordings())
def test_every_change_of_the_gripper_is_a_keyframe_except_in_the_last_frame_but_one(
    demo: list[SimpleNamespace],
) -> None:
    changes = {i for i in range(1, len(demo)) if demo[i].gripper_open != demo[i - 1].gripper_open}
    assert changes - {len(demo) - 2} <= set(find_keyframes(demo))


@given(recordings())
def test_an_arm_that_never_stops_has_keyframes_at_changes_and_the_end_only(
    demo: list[SimpleNamespace],
) -> None:
    for frame in demo:
        frame.joint_velocities = np.full(7, MOVING)
    changes = {i for i in range(1, len(demo)) if demo[i].gripper_open != demo[i - 1].gripper_open}
    assert set(find_keyframes(demo)) == (changes | {len(demo) - 1}) - {len(demo) - 2}


@given(recordings())
def test_only_speed_and_change_matter(demo: list[SimpleNamespace]) -> None:
    expected = find_keyframes(demo)
    swapped = [
        SimpleNamespace(
            gripper_open=1.0 - frame.gripper_open,  # open for closed
            joint_velocities=-frame.joint_velocities[
                ::-1
            ],  # backwards, and joints in another order
            gripper_pose=None,
            task_low_dim_state=object(),
        )
        for frame in demo
    ]
    assert find_keyframes(swapped) == expected


@given(recordings())
def test_stops_are_at_least_five_frames_apart(demo: list[SimpleNamespace]) -> None:
    changes = {i for i in range(1, len(demo)) if demo[i].gripper_open != demo[i - 1].gripper_open}
    stops = [i for i in find_keyframes(demo)[:-1] if i not in changes]
    assert all(b - a >= 5 for a, b in pairwise(stops))


@pytest.mark.parametrize(
    ("gripper", "speed", "expected"),
    [
        pytest.param("oooooooo", "--------", [7], id="nothing but the end"),
        pytest.param("oooooooooo", "-----.----", [5, 9], id="a stop"),
        pytest.param("oooooccccc", "----------", [5, 9], id="a change is where it has changed"),
        # Frame 0 compares with the last two frames, sees no change, and counts as a stop: it is
        # not a keyframe, but frames 1 to 4 cannot be stops any more.
        pytest.param("oooooooooooo", "....--------", [11], id="frame 0 arms the buffer"),
        pytest.param("oooooooooooo", ".....-------", [11], id="frame 4 is still inside"),
        pytest.param("oooooooooooo", "......------", [5, 11], id="frame 5 is out of it"),
        pytest.param("oooooooooooo", "-...--------", [1, 11], id="at work, frame 1 can stop"),
        # The demo ends with the gripper closed: frames 0 and 1 look there, and differ.
        pytest.param("oooooooooccc", "....--------", [2, 9, 11], id="another end, 0 and 1 differ"),
        pytest.param("oooooooooooc", "....--------", [2, 11], id="only the very last differs"),
        # Frame 0 differs in frame -2 alone, frame 1 looks at -1 alone and may stop.
        pytest.param("oooooooooc" + "o", ".." + "-" * 9, [1, 10], id="only -2 differs"),
        pytest.param("o" * 14, "--" + "." * 6 + "-" * 6, [2, 7, 13], id="5 frames later again"),
        pytest.param("o" * 14, "--" + "." * 5 + "-" * 7, [2, 13], id="a pause of 5 stops once"),
        pytest.param("o" * 20, "--" + "." * 18, [2, 7, 12, 17, 19], id="a long pause, many stops"),
        # Changes neither wait for the buffer nor start it.
        pytest.param("oooooccccccc", "---.--------", [3, 5, 11], id="a change within the buffer"),
        pytest.param("oooooccccccc", "-------.----", [5, 7, 11], id="a stop soon after a change"),
        # A stop needs the same state at i-2, i-1, i, i+1: 4 is a frame before the change at 5, and
        # 6 a frame after it.
        pytest.param("oooooccccccc", "----.-------", [5, 11], id="no stop before a change"),
        pytest.param("oooooccccccc", "------.-----", [5, 11], id="no stop after a change"),
        pytest.param("oooooooo", "------..", [7], id="the last two frames are no stops"),
        pytest.param("oooooooo", "-----.--", [5, 7], id="the last but two can be one"),
        # Only the final pair of neighbours is thinned, and it is the first of them that goes.
        pytest.param("oooooooc", "--------", [7], id="a change in the last frame"),
        pytest.param("oooooocc", "--------", [7], id="a change right before the end is pruned"),
        pytest.param("ooooocccc", "---------", [5, 8], id="a change two before the end stays"),
        pytest.param("oooooocoo", "---------", [6, 8], id="of three neighbours one goes"),
        pytest.param("oocoooooo", "---------", [2, 3, 8], id="neighbours before the end stay"),
        pytest.param("ococococ", "--------", [1, 2, 3, 4, 5, 7], id="only the last pair goes"),
        pytest.param("oo", "..", [1], id="two frames"),
        pytest.param("oc", "..", [1], id="two frames that differ"),
        pytest.param("ooo", "...", [2], id="three frames: 0 arms, 1 is last but one"),
        pytest.param("oco", "---", [2], id="three frames, pruned"),
    ],
)
def test_each_quirk_of_the_rule(gripper: str, speed: str, expected: list[int]) -> None:
    assert find_keyframes(record(gripper, speed)) == expected


@pytest.mark.parametrize(
    ("speed", "stops"),
    [
        (0.1, True),
        (-0.1, True),
        (np.nextafter(0.1, 1), False),
        (np.nextafter(-0.1, -1), False),
        (np.float32(0.1), False),  # which is a little more than 0.1
        (np.nan, False),
        (np.inf, False),
    ],
)
def test_a_joint_exactly_at_the_tolerance_is_still(speed: float, stops: bool) -> None:
    demo = record("oooooooo", "---.----")
    demo[3].joint_velocities = np.array([0, 0, 0, speed, 0, 0, 0])
    assert find_keyframes(demo) == ([3, 7] if stops else [7])


def test_one_fast_joint_is_enough_to_be_moving() -> None:
    demo = record("oooooooo", "---.----")
    demo[3].joint_velocities[6] = 0.2
    assert find_keyframes(demo) == [7]


def test_a_demo_of_ours_is_read_as_one_of_theirs(make_demo: Callable[..., Demo]) -> None:
    theirs = record("ooooooccccccooooooo", "---...--...---.....")
    columns = {
        "gripper_open": [frame.gripper_open for frame in theirs],
        "joint_velocities": [frame.joint_velocities for frame in theirs],
    }
    assert find_keyframes(make_demo(frames=19, columns=columns)) == find_keyframes(theirs)


def test_fixed_interval_is_a_twentieth_of_the_demo() -> None:
    assert find_keyframes(record("o" * 100, "-" * 100), "fixed_interval") == [
        *range(5, 96, 5),
        99,
    ]
    assert find_keyframes(record("o" * 9, "-" * 9), "fixed_interval", count=3) == [3, 6, 8]
    assert find_keyframes(record("o" * 4, "-" * 4), "fixed_interval") == [1, 2, 3]


@pytest.mark.parametrize("length", [2, 10, 19, 20, 21, 39, 40, 59])
def test_fixed_interval_finds_count_or_more_in_all_but_short_demos(length: int) -> None:
    found = find_keyframes(record("o" * length, "-" * length), "fixed_interval", count=20)
    if length > 20:
        assert len(found) >= 20
    else:
        assert found == list(range(1, length))


def test_random_keyframes_depend_on_the_generator_alone() -> None:
    demo = record("o" * 100, "-" * 100)
    first, again, other = (
        find_keyframes(demo, "random", rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len(first) == 20
    with pytest.raises(DataError, match="pass rng"):
        find_keyframes(demo, "random")


def test_random_keyframes_reach_every_frame() -> None:
    demo, rng = record("o" * 30, "-" * 30), np.random.default_rng(0)
    drawn = {frame for _ in range(50) for frame in find_keyframes(demo, "random", rng=rng)}
    assert drawn == set(range(1, 30))


def test_an_unknown_method_lists_the_valid_ones() -> None:
    with pytest.raises(
        UnknownKeyframeMethodError, match="'heuristic'; valid names: stopped, fixed_interval, ran"
    ):
        find_keyframes(record("oo", ".."), "heuristic")


@pytest.mark.parametrize("length", [0, 1])
def test_too_short_a_demo_is_refused(length: int) -> None:
    with pytest.raises(
        InvalidDemoError, match=f"at least 2 frames, this demonstration has {length}"
    ):
        find_keyframes(record("o" * length, "-" * length))


def test_a_demo_recorded_without_velocities_is_refused() -> None:
    demo = record("oooo", "----")
    demo[2].joint_velocities = None
    with pytest.raises(InvalidDemoError, match="frame 2 has no joint_velocities"):
        find_keyframes(demo)
