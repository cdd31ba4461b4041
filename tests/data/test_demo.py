from collections.abc import Callable

import numpy as np
import pytest

from robomtl.data import Demo, InvalidDemoError, Observation, UnknownFieldError

MakeDemo = Callable[..., Demo]


def test_a_frame_is_an_observation_of_every_column(make_demo: MakeDemo) -> None:
    demo = make_demo(frames=5)
    observation = demo[3]
    assert isinstance(observation, Observation)
    assert observation.keys() == demo.columns.keys()
    np.testing.assert_array_equal(observation.gripper_pose, demo.column("gripper_pose")[3])
    assert isinstance(observation.gripper_open, np.ndarray)
    assert observation.gripper_open.shape == ()


def test_a_demo_is_a_sequence(make_demo: MakeDemo) -> None:
    demo = make_demo(frames=5)
    poses = [observation.gripper_pose.tolist() for observation in demo]
    assert poses == demo.column("gripper_pose").tolist()
    assert [o.gripper_pose.tolist() for o in demo[1:-1]] == poses[1:-1]
    assert demo[-1].gripper_pose.tolist() == poses[4]
    assert demo[np.int64(2)].gripper_pose.tolist() == poses[2]
    for frame in (5, -6):
        with pytest.raises(IndexError, match=f"frame {frame} of a demonstration of 5 frames"):
            demo[frame]


def test_a_demo_cannot_be_changed_by_accident(make_demo: MakeDemo) -> None:
    demo = make_demo()
    for array in (demo.column("gripper_pose"), demo[0].gripper_pose, demo.states, demo.symmetry):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_array_that_was_given_stays_writable() -> None:
    velocities = np.zeros((2, 7))
    Demo({"joint_velocities": velocities}, task="t", variation=0, seed=0)
    assert velocities.flags.writeable


def test_observations_become_the_same_demo(make_demo: MakeDemo) -> None:
    demo = make_demo(seed=3)
    observations = [
        Observation(observation, timestep=np.array(i)) for i, observation in enumerate(demo)
    ]
    again = Demo.from_observations(
        observations, task="reach_target", variation=0, seed=3, states=demo.states
    )
    assert again.digest() == demo.digest()


def test_observations_must_agree() -> None:
    closed, opened = ({"gripper_open": np.array(value)} for value in (0.0, 1.0))
    identity = {"task": "t", "variation": 0, "seed": 0}
    with pytest.raises(InvalidDemoError, match="frames 0 and 1 differ in having gripper_pose"):
        Demo.from_observations([closed, {**opened, "gripper_pose": np.zeros(7)}], **identity)
    state = "task_low_dim_state"
    with pytest.raises(InvalidDemoError, match=r"shape \(2,\) at frame 0 but \(3,\) at frame 1"):
        Demo.from_observations([{state: np.zeros(2)}, {state: np.zeros(3)}], **identity)
    with pytest.raises(InvalidDemoError, match="at least 2 frames, this one 0"):
        Demo.from_observations([], **identity)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_frame(
    make_demo: MakeDemo, value: float
) -> None:
    forces = np.zeros((12, 7))
    forces[9, 2] = value
    with pytest.raises(InvalidDemoError, match="joint_forces is not finite at frame 9"):
        make_demo(columns={"joint_forces": forces})
    with pytest.raises(InvalidDemoError, match="states is not finite at frame 9"):
        make_demo(states=forces)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"gripper_pos": np.zeros((12, 7))}, "'gripper_pos'; valid names: .*gripper_pose"),
        ({"gripper_pose": np.zeros((11, 7))}, "different numbers of frames: .*gripper_pose 11"),
        ({"gripper_pose": np.zeros((12, 8))}, r"gripper_pose has shape \(12, 8\).*float64 \(7,\)"),
        ({"gripper_open": np.zeros((12, 1))}, r"gripper_open has shape \(12, 1\).*float64 \(\)"),
        ({"gripper_open": np.array(1.0)}, r"gripper_open has shape \(\)"),
        ({"gripper_open": np.array(["open"] * 12)}, "gripper_open has type <U4; expected float64"),
        ({"gripper_open": np.array([None] * 12)}, "gripper_open has type object"),
        ({"wrist_rgb": np.zeros((12, 4, 4, 3))}, "wrist_rgb has type float64; expected uint8"),
        ({"timestep": np.arange(12)}, "'timestep'"),
    ],
)
def test_columns_that_are_no_demo_are_refused(make_demo: MakeDemo, columns, message) -> None:
    with pytest.raises(InvalidDemoError, match=message):
        make_demo(columns=columns)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "../elsewhere"}, "'../elsewhere' cannot be the name of a task"),
        ({"task": ""}, "'' cannot be the name of a task"),
        ({"variation": -1}, "variation must be at least 0, not -1"),
        ({"variation": 0.5}, "variation must be an integer, not 0.5"),
        ({"attempts": 0}, "attempts must be at least 1, not 0"),
        ({"descriptions": "reach the target"}, "descriptions must be several strings"),
        ({"states": np.zeros((11, 3))}, "states has 11 frames, but the columns have 12"),
        ({"states": np.zeros(12)}, r"states has shape \(12,\)"),
        ({"symmetry": np.zeros(12, int)}, "symmetry is 0 at frame 0"),
        ({"symmetry": np.ones(12)}, "symmetry has type float64; expected int64"),
    ],
)
def test_settings_that_are_no_demo_are_refused(make_demo: MakeDemo, settings, message) -> None:
    with pytest.raises(InvalidDemoError, match=message):
        make_demo(**settings)


def test_a_demo_has_at_least_two_frames(make_demo: MakeDemo) -> None:
    assert len(make_demo(frames=2)) == 2
    with pytest.raises(InvalidDemoError, match="at least 2 frames, this one 1"):
        make_demo(frames=1)
    with pytest.raises(InvalidDemoError, match="at least 2 frames, this one 0"):
        Demo({}, task="t", variation=0, seed=0)


def test_an_unknown_column_lists_those_that_are_there(make_demo: MakeDemo) -> None:
    with pytest.raises(UnknownFieldError, match="'wrist_rgb'; valid names: joint_positions"):
        make_demo().column("wrist_rgb")


def test_numbers_of_smaller_types_are_widened_without_loss(make_demo: MakeDemo) -> None:
    narrow = np.linspace(0, 1, 12 * 7, dtype=np.float32).reshape(12, 7)
    demo = make_demo(columns={"joint_positions": narrow, "gripper_open": np.ones(12, bool)})
    assert demo.column("joint_positions").dtype == np.float64
    np.testing.assert_array_equal(demo.column("joint_positions"), narrow)
    assert demo.column("gripper_open").dtype == np.float64


def test_symmetry_is_one_where_nothing_is_known(make_demo: MakeDemo) -> None:
    np.testing.assert_array_equal(make_demo(frames=3).symmetry, [1, 1, 1])
    np.testing.assert_array_equal(make_demo(frames=3, symmetry=[1, 2, 4]).symmetry, [1, 2, 4])


def test_the_digest_tells_any_difference_but_the_number_of_attempts(make_demo: MakeDemo) -> None:
    poses = np.zeros((12, 7))
    base = {"columns": {"gripper_pose": poses}}
    moved = poses.copy()
    moved[11, 6] = np.nextafter(0, 1)
    variants = [
        base,
        {"columns": {"gripper_pose": moved}},
        {"columns": {"gripper_pose": -poses}},  # minus zero: not the same to the bit
        {**base, "variation": 1},
        {**base, "seed": 1},
        {**base, "task": "push_button"},
        {**base, "descriptions": ("reach it",)},
        {**base, "states": None},
        {**base, "states": np.zeros((12, 9))},
        {**base, "symmetry": np.full(12, 2)},
    ]
    digests = [make_demo(**variant).digest() for variant in variants]
    assert len(set(digests)) == len(variants)
    assert make_demo(**base, attempts=3).digest() == digests[0]


def test_the_digest_does_not_depend_on_the_order_or_memory_layout_of_columns() -> None:
    rng = np.random.default_rng(0)
    columns = {"gripper_pose": rng.normal(size=(4, 7)), "joint_forces": rng.normal(size=(4, 7))}
    turned = {name: np.asfortranarray(columns[name]) for name in reversed(columns)}
    first, second = (Demo(c, task="t", variation=0, seed=0) for c in (columns, turned))
    assert first.digest() == second.digest()
