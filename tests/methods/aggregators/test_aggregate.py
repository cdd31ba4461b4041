"""What holds for all aggregators alike."""

import pytest
import torch

from robomtl.methods import MethodError, UnknownMethodError
from robomtl.methods.aggregators import (
    AGGREGATORS,
    CAGrad,
    FairGrad,
    GradDrop,
    GramError,
    NonFiniteGramError,
    StateError,
    WeightsError,
    aggregate,
)
from tests.methods.aggregators.samples import every_kind, gradients

ON_GRAMS = [name for name in AGGREGATORS if name != "graddrop"]
ORDERED = ["pcgrad", "gradvac"]  # in an order of their own, so tasks are not alike to them
ALIGNED = ["aligned_mtl", "aligned_mtl_median", "aligned_mtl_rmse"]
SIGNED = ["sum", "mean", "pcgrad", "gradvac", *ALIGNED]
named = pytest.mark.parametrize("name", ON_GRAMS)


def example(count=4, seed=0):
    rows = gradients("random", seed, count)
    return rows, rows @ rows.T


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownMethodError, match=r"mean_of_means.*aligned_mtl_rmse"):
        aggregate("mean_of_means", torch.eye(2))


@pytest.mark.parametrize("name", AGGREGATORS)
def test_each_has_a_line_about_it(name):
    line = (AGGREGATORS[name]().__doc__ or "").partition("\n")[0]
    assert line.endswith(".")
    assert 20 < len(line) < 90


@named
def test_a_fresh_one_always_gives_the_same_float64(name):
    _, gram = example()
    first, second = aggregate(name, gram), aggregate(name, gram)
    assert first.dtype == torch.float64
    assert first.shape == (4,)
    assert first.equal(second)


@named
def test_arrays_give_the_same_as_tensors(name):
    _, gram = example()
    weights = torch.tensor([0.5, 1.0, 0.25, 2.0]).double()
    expected = aggregate(name, gram, weights)
    assert aggregate(name, gram.numpy(), weights.numpy()).equal(expected)


@named
def test_nothing_given_is_changed(name):
    _, gram = example()
    weights = torch.rand(4).double()
    kept = gram.clone(), weights.clone()
    alpha = aggregate(name, gram, weights)
    alpha.fill_(7.0)
    assert gram.equal(kept[0])
    assert weights.equal(kept[1])


@named
def test_a_gram_matrix_that_requires_gradients_is_only_read(name):
    rows = gradients("random", 0, 3).requires_grad_()
    assert not aggregate(name, rows @ rows.T).requires_grad


@named
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_coarse_matrices_give_the_answer_for_their_values(name, dtype):
    for kind, seed in every_kind(20):
        rows = gradients(kind, seed)
        coarse = (rows @ rows.T).to(dtype)
        alpha = aggregate(name, coarse)
        assert alpha.isfinite().all()
        torch.testing.assert_close(alpha, aggregate(name, coarse.double()), rtol=1e-9, atol=1e-12)


@named
def test_float32_rounding_changes_the_update_as_little_as_it_should(name):
    for seed in range(20):
        rows, gram = example(5, seed)
        ours = rows.T @ aggregate(name, gram.float())
        exact = rows.T @ aggregate(name, gram)
        assert (ours - exact).norm() < 1e-4 * exact.norm()


@named
@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e12, 1e30])
def test_the_size_of_all_gradients_changes_only_the_size_of_coefficients(name, size):
    _, gram = example()
    alpha, scaled = aggregate(name, gram), aggregate(name, gram * size)
    factor = {"nash_mtl": size**-0.5, "fairgrad": size ** (-2 / 3)}.get(name, 1.0)
    torch.testing.assert_close(scaled, alpha * factor, rtol=1e-8, atol=0)


@pytest.mark.parametrize("name", [name for name in ON_GRAMS if name not in ORDERED])
def test_the_order_of_tasks_does_not_matter(name):
    for kind, seed in every_kind(40):
        rows = gradients(kind, seed)
        gram = rows @ rows.T
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(gram), generator=generator)
        weights = torch.rand(len(gram), generator=generator).double() + 0.1
        expected = rows.T @ aggregate(name, gram, weights)
        found = rows[order].T @ aggregate(name, gram[order][:, order], weights[order])
        assert (found - expected).norm() < 1e-6 * expected.norm(), (kind, seed)


@named
def test_default_weights_may_be_said_aloud(name):
    _, gram = example()
    weights = AGGREGATORS[name]().default_weights(4)
    torch.testing.assert_close(aggregate(name, gram, weights), aggregate(name, gram))


@named
def test_twice_the_weights_mean_twice_the_update_or_stronger_bargainers(name):
    _, gram = example()
    weights = torch.tensor([0.5, 1.0, 0.25, 2.0]).double()
    factor = {"nash_mtl": 2**0.5, "fairgrad": 2 ** (1 / 3)}.get(name, 2.0)
    once, twice = aggregate(name, gram, weights), aggregate(name, gram, 2 * weights)
    torch.testing.assert_close(twice, once * factor)


@pytest.mark.parametrize("name", ["pcgrad", "gradvac", "mgda"])
def test_methods_without_a_place_for_weights_see_scaled_gradients(name):
    rows, gram = example()
    weights = torch.tensor([0.5, 1.0, 0.25, 2.0]).double()
    scaled = rows * (weights / AGGREGATORS[name]().default_weights(4))[:, None]
    expected = scaled.T @ aggregate(name, scaled @ scaled.T)
    torch.testing.assert_close(rows.T @ aggregate(name, gram, weights), expected)


@named
def test_a_task_of_weight_zero_does_not_stop_the_others(name):
    rows, gram = example()
    weights = torch.tensor([1.0, 0.0, 1.0, 1.0]).double()
    update = rows.T @ aggregate(name, gram, weights)
    assert update.isfinite().all()
    assert update.norm() > 0
    assert aggregate(name, gram, torch.zeros(4)).eq(0).all()


@named
def test_negative_weights_are_taken_where_they_mean_something(name):
    _, gram = example()
    weights = torch.tensor([1.0, -0.2, 1.0, 1.0])
    if name in SIGNED:
        assert aggregate(name, gram, weights).isfinite().all()
    else:
        with pytest.raises(WeightsError, match=r"not negative.*\[1\]"):
            aggregate(name, gram, weights)


@named
@pytest.mark.parametrize("count", [1, 3])
def test_one_task_and_no_gradients_at_all_give_the_weights(name, count):
    weights = torch.arange(1.0, count + 1)
    gram = torch.full((1, 1), 4.0) if count == 1 else torch.zeros(count, count)
    assert aggregate(name, gram, weights).equal(weights.double())
    assert aggregate(name, gram).equal(AGGREGATORS[name]().default_weights(count))


@pytest.mark.parametrize(
    ("gram", "message"),
    [
        (torch.zeros(2, 3), r"K x K.*\(2, 3\)"),
        (torch.zeros(3), r"K x K.*\(3,\)"),
        (torch.zeros(0, 0), r"K >= 1"),
        (torch.tensor([[1.0, 0.5], [0.4, 1.0]]), "symmetric"),
        (torch.tensor([[-1.0, 0.0], [0.0, 1.0]]), "diagonal"),
        (torch.tensor([[1.0, 3.0], [3.0, 1.0]]), "diagonal"),
    ],
)
def test_what_is_no_gram_matrix_is_refused(gram, message):
    with pytest.raises(GramError, match=message):
        aggregate("mean", gram)


def test_matrices_that_are_symmetric_up_to_rounding_are_taken():
    generator = torch.Generator().manual_seed(0)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        rows = torch.randn(8, 100, generator=generator)
        gram = (rows @ rows.T).to(dtype)
        gram = gram * (1 + 0.4 * torch.finfo(dtype).eps * torch.randn(8, 8, generator=generator))
        assert aggregate("upgrad", gram.to(dtype)).isfinite().all()


@named
def test_both_halves_of_a_matrix_count_alike(name):
    _, gram = example()
    gram[0, 1] *= 1 + 1e-6
    assert aggregate(name, gram).equal(aggregate(name, gram.T))


@named
def test_products_with_a_gradient_that_has_no_length_are_rounding(name):
    gram = torch.tensor([[2.0, 1e-7, -0.5], [1e-7, 0.0, -1e-7], [-0.5, -1e-7, 1.0]])
    clean = gram.where(gram.abs() > 1e-6, 0.0)
    assert aggregate(name, gram).equal(aggregate(name, clean))


@named
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_tasks_whose_gradients_are_not_finite_are_named(name, bad):
    rows, _ = example()
    rows[1, 0] = rows[3, 2] = bad
    with pytest.raises(NonFiniteGramError, match=r"\[1, 3\]") as caught:
        aggregate(name, rows @ rows.T)
    assert caught.value.tasks == [1, 3]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.ones(3), r"4 tasks.*\(3,\)"),
        (torch.ones(4, 1), r"\(4, 1\)"),
        (torch.tensor([1.0, torch.nan, 1.0, torch.inf]), r"\[1, 3\]"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with pytest.raises(WeightsError, match=message):
        aggregate("mean", example()[1], weights)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CAGrad(c=-0.1), "-0.1"),
        (lambda: FairGrad(fairness=0.0), r"0\.0"),
        (lambda: GradDrop(leak=1.5), r"1\.5"),
    ],
)
def test_settings_without_meaning_are_refused(make, message):
    with pytest.raises(MethodError, match=message):
        make()


@pytest.mark.parametrize("name", [name for name in ON_GRAMS if name not in ORDERED])
def test_a_state_of_something_else_is_refused(name):
    aggregator = AGGREGATORS[name]()
    assert aggregator.state_dict() == {}
    aggregator.load_state_dict({})
    with pytest.raises(StateError, match="generator"):
        aggregator.load_state_dict(AGGREGATORS["pcgrad"]().state_dict())
