"""Agreement with an independent implementation, on 100 problems, or 1,000 in the slow run."""

import pytest
import torch

from robomtl.methods.aggregators import (
    IMTLG,
    MGDA,
    AlignedMTL,
    CAGrad,
    ConFIG,
    FairGrad,
    GradDrop,
    GradVac,
    Mean,
    NashMTL,
    PCGrad,
    Sum,
    UPGrad,
)
from tests.methods.aggregators.samples import every_kind, gradients

torchjd = pytest.importorskip("torchjd.aggregation")
linalg = pytest.importorskip("torchjd.linalg")

DOUBLE = torch.finfo(torch.float64).eps
totals = pytest.mark.parametrize("total", [100, pytest.param(1000, marks=pytest.mark.slow)])


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the relative difference of two updates."""
    return ((ours - theirs).norm() / theirs.norm()).item()


def update(aggregator, rows, weights=None):
    return rows.T @ aggregator(rows @ rows.T, weights)


# TorchJD works in the precision of its input; our Aligned-MTL takes float32's for granted.
# UPGrad's projector there adds 1e-4 to the diagonal unless told otherwise.
EXACT = {
    "sum": (Sum, torchjd.Sum),
    "mean": (Mean, torchjd.Mean),
    "aligned_mtl": (lambda: AlignedMTL(tolerance=DOUBLE), torchjd.AlignedMTL),
    "aligned_mtl_median": (
        lambda: AlignedMTL(scale="median", tolerance=DOUBLE),
        lambda: torchjd.AlignedMTL(scale_mode="median"),
    ),
    "aligned_mtl_rmse": (
        lambda: AlignedMTL(scale="rmse", tolerance=DOUBLE),
        lambda: torchjd.AlignedMTL(scale_mode="rmse"),
    ),
    "imtl_g": (IMTLG, torchjd.IMTLG),
    "config": (ConFIG, torchjd.ConFIG),
    "upgrad": (
        UPGrad,
        lambda: torchjd.UPGrad(projector=linalg.QuadprogProjector(norm_eps=0, reg_eps=1e-14)),
    ),
}


@totals
@pytest.mark.parametrize("name", EXACT)
def test_updates_are_those_of_torchjd(name, total):
    ours, theirs = EXACT[name]
    for kind, seed in every_kind(total):
        rows = gradients(kind, seed)
        assert difference(update(ours(), rows), theirs()(rows)) < 1e-6, (kind, seed)


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
def test_aligned_mtl_ignores_what_torchjd_ignores_in_float32(scale):
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        left = torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q
        right = torch.linalg.qr(torch.randn(40, 6, generator=generator)).Q
        values = torch.tensor([3.0, 2.0, 1.0, 0.5, 1e-5, 1e-6])
        rows = (left * values) @ right.T
        theirs = torchjd.AlignedMTL(scale_mode=scale)(rows)
        assert difference(rows.T @ AlignedMTL(scale=scale)(rows @ rows.T).float(), theirs) < 1e-4


def dependent(seed):
    """Return nine gradients in four dimensions, (9, 30)."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(4, 30, generator=generator).double()
    return torch.randn(9, 4, generator=generator).double() @ basis


def test_configs_dependent_gradients_get_the_pseudo_inverse_that_torchjd_gives_them():
    for seed in range(50):
        rows = dependent(seed)
        assert difference(update(ConFIG(), rows), torchjd.ConFIG()(rows)) < 1e-6


def test_so_do_imtl_gs_where_that_makes_projections_equal():
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randn(4, 30, generator=generator).double().repeat(2, 1)
        rows *= 0.1 + torch.rand(8, 1, generator=generator).double()
        assert difference(update(IMTLG(), rows), torchjd.IMTLG()(rows)) < 1e-6


def test_imtl_g_makes_projections_equal_where_torchjds_pseudo_inverse_does_not():
    """In general dependent gradients have equal projections on nothing but d = 0.

    TorchJD takes the pseudo-inverse all the same; we define d by the projections alone.
    """
    for seed in range(50):
        rows = dependent(seed)
        unit = rows / rows.norm(dim=1, keepdim=True)
        theirs = unit @ torchjd.IMTLG()(rows)
        assert theirs.std() > 0.1 * theirs.abs().mean()
        alpha = IMTLG()(rows @ rows.T)
        assert alpha.sum().item() == pytest.approx(1)
        ours = unit @ (rows.T @ alpha)
        assert (ours - ours.mean()).abs().max() < 1e-9 * (alpha[:, None] * rows).norm()


@pytest.mark.parametrize("kind_seed", every_kind(40))
def test_weights_are_the_preference_vector_of_torchjd(kind_seed):
    rows = gradients(*kind_seed)
    weights = torch.rand(len(rows), generator=torch.Generator().manual_seed(1)).double() + 0.1
    projector = linalg.QuadprogProjector(norm_eps=0, reg_eps=1e-14)
    for ours, theirs in [
        (AlignedMTL(tolerance=DOUBLE), torchjd.AlignedMTL(weights)),
        (UPGrad(), torchjd.UPGrad(weights, projector)),
        (Sum(), torchjd.Constant(weights)),
    ]:
        assert difference(update(ours, rows, weights), theirs(rows)) < 1e-6
    # ConFIG's length counts weights with us and not with TorchJD; the direction is the same.
    mine, other = update(ConFIG(), rows, weights), torchjd.ConFIG(weights)(rows)
    assert difference(mine / mine.norm(), other / other.norm()) < 1e-6


@totals
def test_pcgrad_is_that_of_torchjd_for_the_same_orders(total, monkeypatch):
    for kind, seed in every_kind(total):
        rows = gradients(kind, seed)
        orders = iter(PCGrad(seed=seed).orders(len(rows)))
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randperm", lambda count, orders=orders: next(orders))
            theirs = torchjd.PCGrad()(rows)
        assert difference(update(PCGrad(seed=seed), rows), theirs) < 1e-6, (kind, seed)


@totals
def test_gradvac_is_that_of_torchjd_for_the_same_orders_over_several_steps(total, monkeypatch):
    steps = 3
    for kind, seed in every_kind(total // steps):
        count = 2 + seed % 10
        ours, theirs = GradVac(seed=seed), torchjd.GradVac(eps=0)
        replay = GradVac(seed=seed)
        for step in range(steps):
            rows = gradients(kind, steps * seed + step, count)
            # TorchJD draws positions in the list of others, which lacks the task itself.
            orders = replay.orders(count)
            places = iter(orders - (orders > torch.arange(count)[:, None]).long())
            with monkeypatch.context() as patch:
                patch.setattr(torch, "randperm", lambda count, places=places: next(places))
                expected = theirs(rows)
            assert difference(update(ours, rows), expected) < 1e-6, (kind, seed, step)


@totals
def test_graddrop_is_that_of_torchjd_for_the_same_draws(total, monkeypatch):
    for kind, seed in every_kind(total):
        rows = gradients(kind, seed)
        leak = (seed % 3) / 3
        draw = torch.rand(rows.shape[1], generator=torch.Generator().manual_seed(seed)).double()
        with monkeypatch.context() as patch:
            patch.setattr(torch, "rand", lambda *_, draw=draw, **__: draw)
            theirs = torchjd.GradDrop(leak=torch.full((len(rows),), leak).double())(rows)
        (ours,) = GradDrop(leak=leak, seed=seed).combine([rows])
        assert difference(ours, theirs) < 1e-6, (kind, seed)


@totals
def test_mgda_is_what_torchjds_frank_wolfe_steps_approach(total):
    """TorchJD stops early. With d the shortest vector, any other x has |x-d|^2 <= |x|^2-|d|^2."""
    for kind, seed in every_kind(total):
        rows = gradients(kind, seed)
        ours, theirs = update(MGDA(), rows), torchjd.MGDA()(rows)
        slack = theirs.square().sum() - ours.square().sum()
        rounding = 1e-8 * theirs.square().sum()
        assert (ours - theirs).square().sum() <= slack + rounding, (kind, seed)


@totals
def test_cagrad_beats_torchjds_cone_solver_and_is_as_near_as_its_precision(total):
    """TorchJD is right to about 1e-4.

    Any d in the ball, with d* the best, has |d - d*|^2 <= 2 r (gain* - gain) / |g_w|.
    """
    for kind, seed in every_kind(total):
        rows = gradients(kind, seed)
        centre = rows.mean(0)
        radius = 0.4 * centre.norm()
        ours, theirs = update(CAGrad(), rows), torchjd.CAGrad(c=0.4, norm_eps=0)(rows)
        theirs = centre + (theirs - centre) * (radius / (theirs - centre).norm())
        assert difference(ours, theirs) < 2e-3, (kind, seed)
        change = CAGrad()(rows @ rows.T) - 1 / len(rows)
        length = (rows.T @ (change / change.sum())).norm()
        missed = (rows @ ours).min() - (rows @ theirs).min()
        bound = 2 * radius / length * missed + 1e-9 * radius**2
        assert (ours - theirs).square().sum() <= bound, (kind, seed)


@totals
def test_fairgrad_is_that_of_torchjd_wherever_its_solver_converges(total):
    converged = 0
    for kind, seed in every_kind(total):
        rows = gradients(kind, seed)
        gram = rows @ rows.T
        theirs = torchjd.FairGrad(alpha=2.0).gramian_weighting(gram)
        # Least squares stop at a small sum of squares, and now and then in a wrong place.
        if (gram @ theirs * theirs.sqrt() - 1).abs().max() < 1e-8:
            converged += 1
            assert difference(update(FairGrad(), rows), rows.T @ theirs) < 1e-6, (kind, seed)
    assert converged > 0.7 * total


@pytest.mark.parametrize("total", [20, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_nash_mtl_is_that_of_torchjd_to_within_its_residual(total):
    pytest.importorskip("ecos", reason="no wheel of TorchJD's solver for this Python")
    """TorchJD solves a sequence of convex programmes and stops at a residual of about 1e-3.

    Relative errors r of a solution are about (A + I)^-1 residual, so no larger than that.
    """
    converged = 0
    for kind, seed in every_kind(total):
        rows = gradients(kind, seed)
        gram = rows @ rows.T
        solver = torchjd.NashMTL(n_tasks=len(rows), max_norm=0)
        theirs = solver.weighting(rows)
        residual = (gram @ theirs * theirs - 1).norm().item()
        if residual < 1e-2:
            converged += 1
            error = (theirs / NashMTL()(gram) - 1).abs().max().item()
            assert error <= 1.1 * residual + 1e-6, (kind, seed)
    assert converged > 0.7 * total
