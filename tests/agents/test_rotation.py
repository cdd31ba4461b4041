import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robomtl.agents.rotation import (
    angle_between,
    matrix_to_quaternion,
    quaternion_from_axes,
    quaternion_multiply,
    rotation_z,
    symmetric_equivalents,
)

seeds = st.integers(0, 2**31)


def random_quaternions(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(*shape, 4, generator=generator, dtype=torch.float64)
    return q / q.norm(dim=-1, keepdim=True)


def matrix(q):
    x, y, z, w = q.unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


@given(seeds)
def test_multiplying_quaternions_multiplies_their_matrices(seed):
    a, b = random_quaternions(seed, 2, 16)
    torch.testing.assert_close(matrix(quaternion_multiply(a, b)), matrix(a) @ matrix(b))


@given(seeds, st.floats(0, math.pi))
def test_the_angle_between_two_orientations_is_the_turn_that_leads_from_one_to_the_other(
    seed, angle
):
    q = random_quaternions(seed, 16)
    turned = quaternion_multiply(q, rotation_z(torch.full((16,), angle, dtype=torch.float64)))
    expected = torch.full((16,), angle, dtype=torch.float64)
    torch.testing.assert_close(angle_between(q, turned), expected, atol=1e-9, rtol=0)
    torch.testing.assert_close(angle_between(q, -turned), expected, atol=1e-9, rtol=0)


def test_the_angle_between_nearly_equal_orientations_is_not_lost_to_rounding():
    q = torch.tensor([0.6, 0.0, 0.0, 0.8])
    turned = quaternion_multiply(q, rotation_z(torch.tensor(1e-4)))
    assert float(angle_between(q, turned)) == pytest.approx(1e-4, rel=1e-2)


@given(seeds)
def test_a_matrix_becomes_its_quaternion_with_nonnegative_w(seed):
    q = random_quaternions(seed, 16)
    back = matrix_to_quaternion(matrix(q))
    assert (back[..., 3] >= 0).all()
    torch.testing.assert_close(matrix(back), matrix(q))


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_half_turns_and_the_identity_become_quaternions_with_finite_gradients(axis):
    m = matrix(torch.eye(4, dtype=torch.float64)[axis]).requires_grad_()
    q = matrix_to_quaternion(m)
    q.sum().backward()
    torch.testing.assert_close(q.detach().abs(), torch.eye(4, dtype=torch.float64)[axis])
    assert m.grad.isfinite().all()


@given(seeds)
def test_six_numbers_name_the_z_and_y_axes(seed):
    q = random_quaternions(seed, 16)
    m = matrix(q)
    stretched = torch.cat((3 * m[..., 2], 0.5 * m[..., 1] + 2 * m[..., 2]), -1)
    torch.testing.assert_close(matrix(quaternion_from_axes(stretched)), m)


@given(seeds)
def test_symmetric_equivalents_are_all_turns_about_the_approach_axis(seed):
    q = random_quaternions(seed, 3)
    equivalents = symmetric_equivalents(q, torch.tensor([1, 2, 4]))
    assert equivalents.shape == (3, 4, 4)
    angles = angle_between(q[:, None], equivalents)
    right = math.pi / 2
    expected = torch.tensor(
        [[0, 0, 0, 0], [0, 2 * right, 0, 2 * right], [0, right, 2 * right, right]],
        dtype=torch.float64,
    )
    torch.testing.assert_close(angles, expected, atol=1e-7, rtol=0)
    # The approach axis itself, the gripper's z, does not move.
    torch.testing.assert_close(
        matrix(equivalents)[..., 2], matrix(q)[:, None, :, 2].expand(-1, 4, -1)
    )
