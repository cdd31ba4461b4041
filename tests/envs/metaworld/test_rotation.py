"""Quaternions are held against SciPy's, bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robomtl.envs.metaworld.rotation import QuickRotation

_PARTS = st.floats(-1, 1, allow_subnormal=False)
_AXES = st.tuples(_PARTS, _PARTS, _PARTS, _PARTS).filter(lambda q: np.linalg.norm(q) > 1e-3)


def _same(matrix):
    return np.array_equal(
        QuickRotation.from_matrix(matrix).as_quat(), Rotation.from_matrix(matrix).as_quat()
    )


@given(_AXES)
def test_a_rotation_has_scipys_quaternion(quaternion):
    assert _same(Rotation.from_quat(quaternion).as_matrix())


def test_rotations_by_quarters_and_any_others_have_scipys_quaternions():
    assert all(map(_same, Rotation.create_group("O").as_matrix()))
    assert all(map(_same, Rotation.random(2000, rng=0).as_matrix()))


@pytest.mark.parametrize("size", [1e-14, 3e-13, 8e-13, 2e-12, 1e-9, 1e-3])
def test_what_is_not_quite_a_rotation_is_scipys_matter(size):
    noise = size * np.random.default_rng(0).standard_normal((50, 3, 3))
    assert all(map(_same, Rotation.random(50, rng=1).as_matrix() + noise))


@pytest.mark.parametrize("matrix", [-np.eye(3), np.zeros((3, 3))])
def test_what_is_no_rotation_is_refused_as_by_scipy(matrix):
    with pytest.raises(ValueError, match="determinant"):
        QuickRotation.from_matrix(matrix)
