"""Each method's own definition, checked on 400 problems: nothing here needs another solver."""

import pytest
import torch

from robomtl.methods.aggregators import (
    IMTLG,
    MGDA,
    AlignedMTL,
    CAGrad,
    ConFIG,
    FairGrad,
    NashMTL,
    UPGrad,
)
from tests.methods.aggregators.samples import every_kind, gradients

DOUBLE = torch.finfo(torch.float64).eps


def problems(total=400):
    for kind, seed in every_kind(total):
        rows = gradients(kind, seed)
        yield rows, rows @ rows.T


def some_weights(count):
    return torch.rand(count, generator=torch.Generator().manual_seed(count)).double() + 0.1


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
def test_aligned_mtl_makes_gradients_orthogonal_and_equally_long(scale):
    for _, gram in problems(200):
        aggregator = AlignedMTL(scale=scale, tolerance=DOUBLE)
        # B's columns are the answers to one-hot weights.
        balance = torch.stack([aggregator(gram, one) for one in torch.eye(len(gram)).double()])
        values = torch.linalg.eigvalsh(gram)
        squared = {
            "min": values[0],
            "median": values[(len(values) - 1) // 2],
            "rmse": values.mean(),
        }[scale]
        aligned = balance @ gram @ balance.T
        assert (aligned - squared * torch.eye(len(gram))).abs().max() < 1e-6 * squared
        assert torch.linalg.eigvalsh(balance).min() > 0  # nearest to G, so no reflection


def test_aligned_mtl_projects_on_the_range_of_dependent_gradients():
    generator = torch.Generator().manual_seed(3)
    for _ in range(50):
        basis = torch.randn(4, 30, generator=generator).double()
        rows = torch.randn(9, 4, generator=generator).double() @ basis
        gram = rows @ rows.T
        balance = torch.stack([AlignedMTL()(gram, one) for one in torch.eye(9).double()])
        aligned = balance @ gram @ balance.T
        squared = torch.linalg.eigvalsh(gram)[-4]
        projection = aligned / squared
        assert (projection @ projection - projection).abs().max() < 1e-8
        assert abs(projection.trace() - 4) < 1e-8
        assert (projection @ gram - gram).abs().max() < 1e-8 * gram.max()


def test_mgda_finds_the_shortest_vector_of_the_hull():
    """By its optimality conditions: no gradient reaches less far along it than itself."""
    for rows, gram in problems():
        alpha = MGDA()(gram)
        assert alpha.min() >= 0
        assert abs(alpha.sum() - 1) < 1e-12
        shortest = rows.T @ alpha
        reach = rows @ shortest
        squared = shortest.square().sum()
        allowed = 1e-10 * shortest.norm() * rows.norm(dim=1)
        assert (reach >= squared - allowed).all()
        assert (alpha * (reach - squared).abs()).sum() < 1e-7 * squared


@pytest.mark.parametrize("c", [0.1, 0.4, 0.9, 1.0, 3.0])
def test_cagrad_reaches_the_bound_that_its_dual_gives(c):
    """Any d in the ball has min_i g_i.d <= g_w.g_0 + r |g_w| for convex w; ours is equal."""
    for rows, gram in problems(100):
        weights = some_weights(len(rows))
        centre = rows.T @ weights
        radius = c * centre.norm()
        alpha = CAGrad(c=c)(gram, weights)
        found = rows.T @ alpha
        assert (found - centre).norm() < radius * (1 + 1e-9)
        change = alpha - weights
        assert change.min() > -1e-12
        hull = rows.T @ (change / change.sum())
        bound = hull @ centre + radius * hull.norm()
        gain = (rows @ found).min()
        assert gain > bound - 1e-8 * (centre.norm() + radius) * rows.norm(dim=1).min()


def test_nash_mtl_gains_are_powers_over_coefficients():
    for _, gram in problems():
        assert (gram @ NashMTL()(gram) * NashMTL()(gram) - 1).abs().max() < 1e-6
        powers = some_weights(len(gram))
        alpha = NashMTL()(gram, powers)
        assert alpha.min() > 0
        assert ((gram @ alpha) * alpha / powers - 1).abs().max() < 1e-6


@pytest.mark.parametrize("fairness", [0.3, 1.0, 2.0, 5.0])
def test_fairgrad_coefficients_are_the_slope_of_the_utility(fairness):
    """That is u_i = (w_i / alpha_i)^(1 / fairness) with u_i the gain of task i."""
    for _, gram in problems(100):
        weights = some_weights(len(gram))
        alpha = FairGrad(fairness=fairness)(gram, weights)
        assert alpha.min() > 0
        wanted = (weights / alpha) ** (1 / fairness)
        rounding = 1e-12 * gram.abs() @ alpha  # gains may be tiny sums of large terms
        assert ((gram @ alpha - wanted).abs() < 1e-6 * wanted + rounding).all()


def test_fairgrad_with_fairness_one_is_nash_mtl():
    for _, gram in problems(40):
        torch.testing.assert_close(FairGrad(fairness=1.0)(gram), NashMTL()(gram))


def test_fairer_means_that_the_smallest_gain_of_updates_of_one_length_is_larger():
    def smallest(gram, fairness):
        alpha = FairGrad(fairness=fairness)(gram)
        return (gram @ alpha).min() / (alpha @ gram @ alpha).sqrt()

    for _, gram in problems(100):
        gains = [smallest(gram, fairness).item() for fairness in (0.5, 1.0, 2.0, 5.0)]
        assert gains == sorted(gains) or max(gains) - min(gains) < 1e-9


def test_upgrad_projects_every_gradient_on_the_cone_that_hurts_no_task():
    """Moreau: x is the projection of g on the cone where G x >= 0 if x lies in it, x - g is a
    sum of gradients with coefficients >= 0, and both are orthogonal."""
    for kind, seed in every_kind(60):
        rows = gradients(kind, seed, 2 + seed % 12)
        gram = rows @ rows.T
        size = rows.norm(dim=1)
        for i, one in enumerate(torch.eye(len(rows)).double()):
            alpha = UPGrad()(gram, one)
            added = alpha - one
            projection = rows.T @ alpha
            assert added.min() >= 0
            assert (rows @ projection / size).min() > -1e-8 * size[i]
            assert abs(projection @ (rows.T @ added)) < 1e-8 * size[i] ** 2


def test_upgrad_hurts_no_task():
    for rows, gram in problems(100):
        combined = rows.T @ UPGrad()(gram, some_weights(len(rows)))
        assert (rows @ combined / rows.norm(dim=1)).min() > -1e-8 * combined.norm()


@pytest.mark.parametrize("weighted", [False, True])
def test_imtl_g_has_projections_in_proportion_to_the_weights(weighted):
    for rows, gram in problems():
        weights = some_weights(len(rows)) if weighted else torch.full((len(rows),), 1.0).double()
        alpha = IMTLG()(gram, weights)
        assert abs(alpha.sum() / weights.sum() - 1) < 1e-9
        shares = (rows @ (rows.T @ alpha)) / rows.norm(dim=1) / weights
        assert (shares / shares[0] - 1).abs().max() < 1e-6


@pytest.mark.parametrize("weighted", [False, True])
def test_config_has_cosines_in_proportion_to_the_weights(weighted):
    for rows, gram in problems():
        weights = some_weights(len(rows)) if weighted else torch.full((len(rows),), 1.0).double()
        found = rows.T @ ConFIG()(gram, weights)
        cosines = rows @ found / rows.norm(dim=1) / found.norm()
        assert (cosines / weights / (cosines / weights)[0] - 1).abs().max() < 1e-6
        assert cosines.min() > 0
        torch.testing.assert_close(
            found.norm(), (weights * rows.norm(dim=1) * cosines).sum(), rtol=1e-6, atol=0
        )
