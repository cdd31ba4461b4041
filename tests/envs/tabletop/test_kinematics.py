"""Inverse kinematics finds poses; paths keep to limits; plans go round what is in the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robomtl.envs import UnreachablePoseError
from robomtl.envs.tabletop.kinematics import Kinematics
from robomtl.envs.tabletop.motion import MAX_ACCELERATION, MAX_VELOCITY, time_path
from robomtl.envs.tabletop.panda import HOME, JOINT_RANGE
from robomtl.envs.tabletop.planning import Planner
from robomtl.envs.tabletop.poses import DOWN, Pose, rotation_vector, yaw_rotation
from robomtl.envs.tabletop.world import World

_KINEMATICS = Kinematics()


def test_home_is_rlbenchs_start_pose() -> None:
    tip = _KINEMATICS.tip(HOME)
    np.testing.assert_allclose(tip.position, [0.2785, -0.008, 1.472], atol=5e-4)
    np.testing.assert_allclose(tip.vector[3:], [0, 0.9927, 0, 0.1209], atol=1e-3)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_a_solution_reaches_its_pose_within_the_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    position = np.array([0.25, 0.0, 0.9]) + rng.uniform(-1, 1, 3) * [0.15, 0.25, 0.1]
    target = Pose(position, yaw_rotation(rng.uniform(-1.5, 1.5)) @ DOWN)
    joints = _KINEMATICS.solve(target, HOME)
    assert joints is not None
    reached = _KINEMATICS.tip(joints)
    assert np.linalg.norm(reached.position - target.position) < 1e-3
    assert np.linalg.norm(rotation_vector(reached.rotation.T @ target.rotation)) < 5e-3
    assert np.all(joints >= JOINT_RANGE[:, 0])
    assert np.all(joints <= JOINT_RANGE[:, 1])


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), points=st.integers(2, 20), scale=st.floats(1e-4, 2.0))
def test_a_timed_path_keeps_its_ends_and_its_limits(seed: int, points: int, scale: float) -> None:
    path = np.random.default_rng(seed).normal(size=(points, 7)).cumsum(axis=0) * scale
    positions, velocities = time_path(path, 0.0025, 0.05)
    assert len(positions) % 20 == 0
    np.testing.assert_allclose(positions[-1], path[-1], atol=1e-9)
    np.testing.assert_allclose(velocities[-1], 0, atol=1e-9)
    assert np.abs(velocities).max() <= MAX_VELOCITY + 1e-9
    # Along a straight stretch the acceleration keeps to its limit too.
    straight, rates = time_path(path[[0, -1]], 0.0025, 0.05)
    assert np.abs(np.diff(rates, axis=0)).max() <= MAX_ACCELERATION * 0.0025 + 1e-9
    steps = np.diff(np.vstack([path[0], straight]), axis=0)
    np.testing.assert_allclose(steps / 0.0025, rates, atol=MAX_ACCELERATION * 0.0025)


def test_a_motion_has_one_slow_frame_its_last() -> None:
    """Keyframe discovery would take a second one for another stop."""
    for length in np.linspace(0.025, 1.0, 60):
        path = np.stack([np.zeros(7), np.full(7, length)])
        _, velocities = time_path(path, 0.0025, 0.05)
        frames = np.abs(velocities[19::20]).max(axis=1)
        assert frames[-1] < 1e-9
        assert np.all(frames[:-1] > 0.1), length


def test_a_plan_goes_round_a_wall_and_is_the_same_every_time() -> None:
    world = World()
    world.fixture("wall").box((0.5, 0.02, 0.4))
    world.compile()
    world.bodies["wall"].place(Pose.at((0.45, 0.0, 0.95)))
    left, right = Pose(np.array([0.4, 0.2, 0.9]), DOWN), Pose(np.array([0.4, -0.2, 0.9]), DOWN)
    planner = Planner(world)
    world.data.qpos[:7] = planner.reach(left, HOME)
    world.forward()
    path = planner.path(right)
    heights = [_KINEMATICS.tip(joints).position[2] for joints in path]
    assert max(heights) > 1.1, "a straight path would stay at 0.9"
    planner._load_scratch()
    assert not any(planner._collides(joints) for joints in path)
    np.testing.assert_array_equal(path, Planner(world).path(right))


def test_a_pose_out_of_reach_is_named() -> None:
    world = World()
    world.compile()
    with pytest.raises(UnreachablePoseError, match=r"2\.000, 0\.000, 1\.000"):
        Planner(world).path(Pose(np.array([2.0, 0.0, 1.0]), DOWN))
