import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robomtl.confidence import wilson_interval

Z = 1.959963984540054


@pytest.mark.parametrize("n", [1, 7, 50, 1000])
def test_without_a_success_the_interval_is_zero_to_its_closed_form(n):
    low, high = wilson_interval(0, n)
    assert low == 0
    assert high == pytest.approx(Z**2 / (n + Z**2), abs=1e-12)


@pytest.mark.parametrize("n", [2, 10, 400])
def test_at_one_half_the_interval_is_symmetric_with_its_closed_form(n):
    low, high = wilson_interval(n // 2, n)
    half = Z / (2 * math.sqrt(n + Z**2))
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-12)


def test_a_published_value():
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_solve_the_equation_that_defines_them(case):
    successes, n = case
    rate = successes / n
    for end in wilson_interval(successes, n):
        assert 0 <= end <= 1
        assert abs(rate - end) == pytest.approx(Z * math.sqrt(end * (1 - end) / n), abs=1e-7)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_failures_mirror_successes(case):
    successes, n = case
    low, high = wilson_interval(successes, n)
    assert wilson_interval(n - successes, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match=f"{successes} of {trials}"):
        wilson_interval(successes, trials)
