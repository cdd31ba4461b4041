"""Poses compose, invert and convert."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robomtl.envs.tabletop.poses import DOWN, Pose, most_natural, rotation_about, rotation_vector

_SEEDS = st.integers(0, 10**6)


def _pose(seed: int) -> Pose:
    rng = np.random.default_rng(seed)
    return Pose(rng.normal(size=3), Rotation.random(rng=rng).as_matrix())


@given(_SEEDS)
def test_a_vector_is_xyz_and_xyzw_as_scipy_has_it(seed: int) -> None:
    pose = _pose(seed)
    quaternion = Rotation.from_matrix(pose.rotation).as_quat(canonical=True)
    np.testing.assert_allclose(pose.vector, [*pose.position, *quaternion], atol=1e-9)
    again = Pose.from_vector(pose.vector)
    np.testing.assert_allclose(again.rotation, pose.rotation, atol=1e-9)


@given(_SEEDS)
def test_an_inverse_undoes(seed: int) -> None:
    pose = _pose(seed)
    both = pose @ pose.inverse()
    np.testing.assert_allclose(both.position, 0, atol=1e-9)
    np.testing.assert_allclose(both.rotation, np.eye(3), atol=1e-9)


@given(_SEEDS, st.floats(0, 1))
def test_the_way_to_another_pose_is_straight(seed: int, fraction: float) -> None:
    start, end = _pose(seed), _pose(seed + 1)
    between = start.towards(end, fraction)
    whole = rotation_vector(start.rotation.T @ end.rotation)
    part = rotation_vector(start.rotation.T @ between.rotation)
    np.testing.assert_allclose(part, fraction * whole, atol=1e-6)
    np.testing.assert_allclose(
        between.position, start.position + fraction * (end.position - start.position)
    )


@given(_SEEDS, st.sampled_from([1, 2, 4]))
def test_equivalent_grasps_have_the_same_most_natural_pose(seed: int, symmetry: int) -> None:
    pose = _pose(seed)
    turned = Pose(pose.position, pose.rotation @ rotation_about((0, 0, 1), 2 * np.pi / symmetry))
    first, second = most_natural(pose, symmetry), most_natural(turned, symmetry)
    assert np.sum(first.rotation * DOWN) == pytest.approx(np.sum(second.rotation * DOWN))
    assert np.sum(first.rotation * DOWN) >= np.sum(pose.rotation * DOWN) - 1e-9
