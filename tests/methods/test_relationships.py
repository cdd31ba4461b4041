"""Measures of tasks' relationships, against closed forms and scipy."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from robomtl.methods import MethodError, NonFiniteLossError, UnknownTaskError
from robomtl.methods.rank_correlation import rank_correlation, ranks, spearman
from robomtl.methods.relationships import (
    Affinities,
    angles,
    enumeration,
    feature_similarity,
    from_auxiliary_runs,
    from_self_auxiliaries,
    helpful,
)
from robomtl.methods.weightings.saal import self_auxiliaries

TASKS = ("a", "b", "c")


class Bowls:
    """L_t = |theta - c_t - x|^2 / 2 + own_t^2: gradients and what steps lead to are known."""

    tasks = TASKS

    def __init__(self, *, multi_domain=False, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.multi_domain = multi_domain
        self.theta = nn.Parameter(torch.randn(5, generator=generator, dtype=torch.float64))
        self.idle = nn.Parameter(torch.ones(2, dtype=torch.float64))
        self.own = {t: nn.Parameter(torch.ones((), dtype=torch.float64)) for t in TASKS}
        self.centres = torch.randn(3, 5, generator=generator, dtype=torch.float64)

    def shared_parameters(self):
        return [self.theta, self.idle]

    def task_parameters(self, task):
        return [self.own[task]]

    def losses(self, batch, tasks):
        return [self.loss(self.theta, batch, task) for task in tasks]

    def loss(self, theta, batch, task):
        off = theta - self.centres[TASKS.index(task)] - batch
        return off.square().sum() / 2 + self.own[task] ** 2


def points(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 5, generator=generator, dtype=torch.float64)


def off_diagonal(matrix):
    return matrix[~torch.eye(len(matrix), dtype=torch.bool)]


@pytest.mark.parametrize("multi_domain", [False, True])
@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_a_look_ahead_is_the_relative_fall_of_the_targets_loss(multi_domain, rate):
    bowls = Bowls(multi_domain=multi_domain)
    x, y = points(1)
    found = Affinities(TASKS).observe(bowls, x, y, rate=rate)
    for (s, source), (t, target) in itertools.permutations(enumerate(TASKS), 2):
        moved = bowls.theta - rate * (bowls.theta - bowls.centres[s] - x)
        for batch, matrix in ((x, found.train), (y, found.validation)):
            before = bowls.loss(bowls.theta, batch, target)
            expected = 1 - bowls.loss(moved, batch, target) / before
            assert matrix[s, t].item() == pytest.approx(expected.item(), rel=1e-12), source
    assert found.train.diagonal().isnan().all()
    assert found.validation.diagonal().isnan().all()
    assert not torch.allclose(off_diagonal(found.train), off_diagonal(found.train.T))


def test_to_first_order_a_look_ahead_is_a_product_of_gradients():
    bowls = Bowls()
    x, _ = points(2)
    rate = 1e-6
    found = Affinities(TASKS).observe(bowls, x, x, rate=rate)
    gradients = bowls.theta.detach() - bowls.centres - x
    losses = torch.stack(bowls.losses(x, TASKS)).detach()
    expected = rate * gradients @ gradients.T / losses
    torch.testing.assert_close(
        off_diagonal(found.train), off_diagonal(expected), rtol=1e-4, atol=1e-12
    )


def test_losses_below_zero_still_fall_by_a_positive_amount():
    bowls = Bowls()
    x, y = points(3)
    sunk = Bowls()
    sunk.losses = lambda batch, tasks: [loss - 100 for loss in bowls.losses(batch, tasks)]
    sunk.shared_parameters = bowls.shared_parameters
    plain = Affinities(TASKS).observe(bowls, x, y, rate=0.1).train
    low = Affinities(TASKS).observe(sunk, x, y, rate=0.1).train
    assert (off_diagonal(plain).sign() == off_diagonal(low).sign()).all()


@given(st.integers(0, 10_000))
def test_angles_are_those_between_gradients(seed):
    rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = angles(rows @ rows.T)
    for s, t in itertools.permutations(range(4), 2):
        # Half-angle formula of Kahan, which is exact for small and large angles too.
        u, v = rows[s] / rows[s].norm(), rows[t] / rows[t].norm()
        expected = 2 * math.atan2((u - v).norm(), (u + v).norm())
        assert found[s, t].item() == pytest.approx(expected, abs=1e-7)
    assert found.diagonal().isnan().all()


def test_angles_of_opposed_equal_and_vanishing_gradients():
    rows = torch.tensor([[1.0, 3.0], [2.0, 6.0], [-1.0, -3.0], [0.0, 0.0]], dtype=torch.float64)
    found = angles(rows @ rows.T)
    assert found[0, 1].item() == pytest.approx(0, abs=1e-7)
    assert found[0, 2].item() == pytest.approx(math.pi, abs=1e-7)
    assert found[3].isnan().all()


def test_the_angles_are_those_of_the_shared_parameters():
    bowls = Bowls()
    x, y = points(4)
    found = Affinities(TASKS).observe(bowls, x, y, rate=0.1)
    gradients = bowls.theta.detach() - bowls.centres - x
    expected = angles(gradients @ gradients.T)
    torch.testing.assert_close(found.angles, expected, equal_nan=True)
    assert off_diagonal(found.angles).equal(off_diagonal(found.angles.T))


class Normed(Bowls):
    """Losses whose forward pass changes running statistics."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(5, dtype=torch.float64)

    def shared_parameters(self):
        return [self.theta, *self.norm.parameters()]

    def buffers(self):
        return self.norm.buffers()

    def losses(self, batch, tasks):
        rows = self.norm(torch.stack((self.theta, 2 * self.theta + batch)))
        return [self.loss(rows[0] + rows[1], batch, task) for task in tasks]


def test_observing_changes_nothing():
    normed = Normed()
    x, y = points(5)
    normed.theta.grad = torch.ones(5, dtype=torch.float64)
    kept = [normed.theta, *normed.norm.parameters(), *normed.norm.buffers(), *normed.own.values()]
    before = [tensor.detach().clone() for tensor in kept]
    Affinities(TASKS).observe(normed, x, y, rate=0.1)
    assert all(one.equal(two) for one, two in zip(before, kept, strict=True))
    assert normed.theta.grad.equal(torch.ones(5, dtype=torch.float64))
    assert normed.norm.weight.grad is None


def test_some_of_an_objectives_tasks_can_be_related_in_any_order():
    bowls = Bowls()
    x, y = points(6)
    whole = Affinities(TASKS).observe(bowls, x, y, rate=0.1)
    some = Affinities(("c", "a")).observe(bowls, x, y, rate=0.1)
    for name in ("train", "validation", "angles"):
        large, small = getattr(whole, name), getattr(some, name)
        assert small[0, 1] == pytest.approx(large[2, 0].item())
        assert small[1, 0] == pytest.approx(large[0, 2].item())
    with pytest.raises(UnknownTaskError, match=r"depth.*'a', 'b', 'c'"):
        Affinities(("a", "depth")).observe(bowls, x, y, rate=0.1)


def test_the_median_is_taken_entry_by_entry_and_skips_what_is_undefined():
    bowls, affinities = Bowls(), Affinities(TASKS)
    seen = [affinities.observe(bowls, *points(seed), rate=0.1) for seed in range(6)]
    bowls.theta.data = bowls.centres[0].clone()  # where the first task has no gradient
    seen.append(affinities.observe(bowls, torch.zeros(5), points(6)[1], rate=0.1))
    assert seen[-1].angles[0].isnan().all()
    median = affinities.median()
    for name in ("train", "validation", "angles"):
        stack = np.stack([getattr(one, name).numpy() for one in seen])
        for s, t in itertools.permutations(range(3), 2):
            expected = np.nanmedian(stack[:, s, t])
            assert getattr(median, name)[s, t].item() == pytest.approx(expected)
        assert getattr(median, name).diagonal().isnan().all()


def test_a_resumed_run_has_the_same_median():
    whole, first, second = (Affinities(TASKS) for _ in range(3))
    for seed in range(5):
        whole.observe(Bowls(), *points(seed), rate=0.1)
        if seed < 2:
            first.observe(Bowls(), *points(seed), rate=0.1)
    state = first.state_dict()
    second.load_state_dict(state)
    for seed in range(2, 5):
        second.observe(Bowls(), *points(seed), rate=0.1)
        first.observe(Bowls(), *points(seed), rate=0.1)
    assert len(state["train"]) == 2  # what was saved does not grow with the run
    for name in ("train", "validation", "angles"):
        one, two = (getattr(x.median(), name) for x in (whole, second))
        assert off_diagonal(one).equal(off_diagonal(two))


def test_no_observation_and_broken_losses_are_refused():
    with pytest.raises(MethodError, match="observe"):
        Affinities(TASKS).median()
    bowls, affinities = Bowls(), Affinities(TASKS)
    affinities.observe(bowls, *points(0), rate=0.1)
    bowls.own["b"].data.fill_(torch.nan)
    with pytest.raises(NonFiniteLossError, match=r"step 1 for: b \(nan\)"):
        affinities.observe(bowls, *points(0), rate=0.1)
    assert len(affinities.state_dict()["train"]) == 1


few_values = st.lists(st.integers(-3, 3), min_size=2, max_size=12)


@given(few_values)
def test_ranks_share_the_average_where_values_tie(values):
    found = ranks(torch.tensor(values, dtype=torch.float64)).numpy()
    np.testing.assert_array_equal(found, scipy.stats.rankdata(values))


@given(st.data())
def test_rank_correlation_is_spearmans(data):
    left = data.draw(few_values)
    right = data.draw(st.lists(st.integers(-3, 3), min_size=len(left), max_size=len(left)))
    found = spearman(torch.tensor(left), torch.tensor(right))
    if len(set(left)) == 1 or len(set(right)) == 1:
        assert math.isnan(found)
    else:
        expected = scipy.stats.spearmanr(left, right).statistic
        assert found == pytest.approx(expected, abs=1e-12)


def test_one_pair_or_an_undefined_value_has_no_rank_correlation():
    assert math.isnan(spearman(torch.tensor([1.0]), torch.tensor([2.0])))
    undefined = torch.tensor([1.0, torch.nan, 2.0])
    assert math.isnan(spearman(undefined, torch.tensor([1.0, 2.0, 3.0])))
    with pytest.raises(MethodError, match="equal length"):
        spearman(torch.zeros(2), torch.zeros(3))


def matrix(seed, count=5):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, count, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("seed", range(5))
def test_relationships_are_compared_source_by_source_for_each_target(seed):
    estimate, actual = matrix(seed), matrix(seed + 100)
    columns = []
    for target in range(5):
        sources = [s for s in range(5) if s != target]
        columns.append(
            scipy.stats.spearmanr(estimate[sources, target], actual[sources, target]).statistic
        )
    assert rank_correlation(estimate, actual) == pytest.approx(np.mean(columns))


def test_scales_of_targets_and_the_diagonal_do_not_matter():
    actual = matrix(0)
    scaled = actual * torch.tensor([1.0, 10.0, 0.1, 3.0, 5.0]) + torch.arange(5)
    scaled.fill_diagonal_(torch.nan)
    assert rank_correlation(scaled, actual) == pytest.approx(1)
    assert rank_correlation(-scaled, actual) == pytest.approx(-1)


def test_a_target_whose_sources_tie_is_left_out():
    actual = matrix(1)
    estimate = actual.clone()
    estimate[:, 2] = 0
    assert rank_correlation(estimate, actual) == pytest.approx(1)
    assert math.isnan(rank_correlation(torch.zeros(5, 5), actual))
    assert math.isnan(rank_correlation(matrix(0, 2), matrix(1, 2)))
    with pytest.raises(MethodError, match="square"):
        rank_correlation(torch.zeros(3, 3), torch.zeros(4, 4))


def test_an_enumeration_trains_each_task_and_each_pair_once():
    calls = []

    def train(tasks):
        calls.append(tasks)
        # Errors, negated. "a" gains 10 % from "b", and "b" loses 20 % by "a".
        errors = {"a": 1.0, "b": 2.0, "c": 4.0}
        if set(tasks) == {"a", "b"}:
            errors |= {"a": 0.9, "b": 2.4}
        return {task: -errors[task] for task in tasks}

    gain = enumeration(TASKS, train)
    assert sorted(map(sorted, calls)) == [["a"], ["a", "b"], ["a", "c"], ["b"], ["b", "c"], ["c"]]
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[1, 0], expected[0, 1] = 0.1, -0.2
    torch.testing.assert_close(off_diagonal(gain), off_diagonal(expected))
    assert gain.diagonal().isnan().all()
    assert helpful(gain, TASKS) == {"a": ["b"], "b": [], "c": []}
    assert self_auxiliaries(TASKS, helpful(gain, TASKS)) == ["b->a"]


def test_a_success_rate_of_nought_can_be_gained_upon():
    rates = {("a",): 0.0, ("b",): 0.0, ("a", "b"): 0.5}

    def train(tasks):
        return {"a": rates[tasks], "b": 0.0}

    gain = enumeration(("a", "b"), train)
    assert gain[1, 0] == math.inf
    assert gain[0, 1].isnan()
    assert helpful(gain, ("a", "b")) == {"a": ["b"], "b": []}


def test_feature_similarity_asks_for_every_ordered_pair():
    found = feature_similarity(TASKS, lambda source, target: ord(source) + ord(target) / 1000)
    for (s, source), (t, target) in itertools.permutations(enumerate(TASKS), 2):
        assert found[s, t] == ord(source) + ord(target) / 1000
    assert found.diagonal().isnan().all()


def test_weights_of_self_auxiliaries_become_a_relationship():
    weights = {"a": 0.5, "b": 0.8, "c": 1.0, "b->a": 0.5, "a->b": 0.2}
    found = from_self_auxiliaries(weights, TASKS)
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[1, 0], expected[0, 1] = 0.5, 0.2
    assert off_diagonal(found).equal(off_diagonal(expected))
    assert found.diagonal().isnan().all()


def test_weights_of_auxiliary_runs_become_a_relationship():
    weights = {t: {s: 10.0 * i + j for j, s in enumerate(TASKS)} for i, t in enumerate(TASKS)}
    found = from_auxiliary_runs(weights, TASKS)
    for s, t in itertools.permutations(range(3), 2):
        assert found[s, t] == 10 * t + s
    assert found.diagonal().isnan().all()
    del weights["b"]["a"]
    with pytest.raises(UnknownTaskError, match=r"\['b'\]"):
        from_auxiliary_runs(weights, TASKS)
