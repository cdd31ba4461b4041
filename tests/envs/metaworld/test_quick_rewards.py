"""What rewards are made of is held against NumPy's and Meta-World's own, bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from metaworld.utils import reward_utils

from robomtl.envs.metaworld.quick_rewards import norm, quick_numpy, quick_reward_utils, tolerance

_NUMBERS = st.floats(-10, 10)
_SIGMOIDS = (
    "gaussian", "hyperbolic", "long_tail", "reciprocal", "cosine", "linear", "quadratic",
    "tanh_squared",
)  # fmt: skip


def same(first, second):
    """Whether two results have the same bits and the same type."""
    return type(first) is type(second) and np.array_equal(first, second, equal_nan=True)


@given(arrays(np.float64, st.integers(1, 9), elements=_NUMBERS), st.sampled_from([None, 2]))
def test_a_vectors_norm_is_numpys(vector, order):
    assert same(norm(vector, order), np.linalg.norm(vector, order))
    assert same(norm(vector[::2], ord=order), np.linalg.norm(vector[::2], ord=order))


@given(
    arrays(np.float32, array_shapes(max_dims=2, max_side=3), elements=st.floats(-8, 8, width=32))
)
def test_any_other_arrays_norm_is_numpys(array):
    for other in (array, array.astype(np.float64), array.tolist(), array.flat[0]):
        assert same(norm(other), np.linalg.norm(other))
    if array.ndim == 1:
        assert same(norm(array, 1), np.linalg.norm(array, 1))


@given(_NUMBERS)
def test_a_numbers_norm_is_numpys(number):
    assert same(norm(np.float64(number)), np.linalg.norm(np.float64(number)))


@given(
    x=st.floats(allow_nan=True) | _NUMBERS,
    bounds=st.tuples(_NUMBERS, _NUMBERS).map(sorted),
    margin=st.just(0.0) | st.floats(0, 2),
    sigmoid=st.sampled_from(_SIGMOIDS),
    left=st.sampled_from([0.1, 0.3]),
    kind=st.sampled_from([float, np.float64, np.float32, np.array]),
)
def test_tolerance_is_meta_worlds(x, bounds, margin, sigmoid, left, kind):
    with np.errstate(all="ignore"):
        arguments = kind(x), tuple(bounds), margin, sigmoid, left
        assert same(tolerance(*arguments), reward_utils.tolerance(*arguments))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bounds": (1.0, 0.0), "margin": 1.0}, "Lower bound"),
        ({"margin": -1.0}, "non-negative"),
        ({"margin": 1.0, "sigmoid": "steep"}, "steep"),
    ],
)
def test_what_meta_world_refuses_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        tolerance(2.0, **settings)


def test_all_else_is_numpys_and_meta_worlds_which_stay_as_they_are():
    assert quick_numpy.array is np.array
    assert quick_numpy.linalg.inv is np.linalg.inv
    assert quick_reward_utils.hamacher_product is reward_utils.hamacher_product
    assert np.linalg.norm is not norm
    assert reward_utils.tolerance is not tolerance
