"""Random loss weighting against what is known of its distributions."""

import pytest
import torch

from robomtl.methods.weightings.rlw import (
    DirichletRandomLossWeighting,
    NormalRandomLossWeighting,
)
from tests.methods.problems import check_resume, weigh

KINDS = [NormalRandomLossWeighting, DirichletRandomLossWeighting]
both = pytest.mark.parametrize("kind", KINDS)


def drawn(weighting, steps):
    return torch.stack([weighting.weights(None) for _ in range(steps)])


@both
def test_weights_are_positive_sum_to_one_and_favour_no_task(kind):
    weights = drawn(kind(4), 10_000)
    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(10_000).double())
    # 0.02 is about ten standard errors of the mean.
    assert (weights.mean(0) - 0.25).abs().max() < 0.02


def test_log_ratios_of_the_normal_kind_are_normal():
    weights = drawn(NormalRandomLossWeighting(3), 10_000)
    ratios = (weights[:, 0] / weights[:, 1]).log()
    # The difference of two standard normals: variance 2, a kurtosis of 3.
    assert abs(ratios.var() - 2) < 0.15
    assert abs((ratios**4).mean() / ratios.var() ** 2 - 3) < 0.4


def test_the_dirichlet_kind_is_uniform_on_the_simplex():
    stats = pytest.importorskip("scipy.stats")
    weights = drawn(DirichletRandomLossWeighting(4), 5000)
    for column in weights.T.numpy():
        assert stats.kstest(column, stats.beta(1, 3).cdf).pvalue > 1e-3
    # Each weight has a beta distribution in many laws on the simplex; the minimum only here.
    minima = weights.min(1).values.numpy()
    assert stats.kstest(minima, lambda x: 1 - (1 - 4 * x) ** 3).pvalue > 1e-3


@both
def test_the_seed_alone_decides(kind):
    before = torch.random.get_rng_state()
    first, again, other = drawn(kind(3, seed=1), 5), drawn(kind(3, seed=1), 5), drawn(kind(3), 5)
    assert first.equal(again)
    assert not first.equal(other)
    assert torch.random.get_rng_state().equal(before)


@both
def test_a_step_takes_the_drawn_weights(kind):
    losses = torch.ones(5, 3)
    assert weigh(kind(3, seed=7), losses).equal(drawn(kind(3, seed=7), 5))


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_interrupted_run_goes_on_to_the_bit(kind, dtype):
    check_resume(lambda: kind(3, seed=3), dtype=dtype)
