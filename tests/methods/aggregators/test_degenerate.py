"""What each aggregator does where its definition has no answer, or many."""

import pytest
import torch

from robomtl.methods.aggregators import AGGREGATORS, aggregate

ON_GRAMS = [name for name in AGGREGATORS if name != "graddrop"]
ONE = torch.tensor([3.0, 4.0, 0.0]).double()
TWO = torch.tensor([-4.0, 1.0, 2.0]).double()
NONE = torch.zeros(3).double()
FAIR = ["nash_mtl", "fairgrad"]

# Updates in units that the comment gives; where a name is missing, `OTHERWISE` holds.
WITHOUT_GRADIENT = {  # two tasks with gradient, and one without: which coefficient has it?
    "sum": 1.0,
    "mean": 1 / 3,
    "pcgrad": 1.0,
    "gradvac": 1.0,
    "cagrad": 1 / 3,
    "mgda": 1.0,  # 0 is the shortest vector
    "upgrad": 1 / 3,
}
OPPOSITE = {  # g and -g: the update in units of g is 0, whatever the coefficients
    "sum": [1, 1],
    "mean": [1 / 2, 1 / 2],
    "pcgrad": [2, 2],
    "gradvac": [2, 2],
    "cagrad": [1 / 2, 1 / 2],
    "mgda": [1 / 2, 1 / 2],
    "upgrad": [1, 1],
    "imtl_g": [1 / 2, 1 / 2],
}
ALIKE = {  # g, g and g: the update in units of g
    "sum": 3.0,
    "pcgrad": 3.0,
    "gradvac": 3.0,
    "cagrad": 1.4,
    "nash_mtl": 3**0.5 / 5,  # |d|^2 = K, and |g| = 5
    "fairgrad": 3 * (1 / 75) ** (2 / 3),  # 3 |g|^2 a = a^(-1/2)
    "config": 3.0,
}


@pytest.mark.parametrize("name", ON_GRAMS)
def test_a_task_without_gradient(name):
    rows = torch.stack((ONE, NONE, TWO))
    alpha = aggregate(name, rows @ rows.T)
    assert alpha.isfinite().all()
    torch.testing.assert_close(alpha[1].item(), WITHOUT_GRADIENT.get(name, 0.0))
    if name != "mgda":
        assert (rows.T @ alpha).norm() > 0.1


@pytest.mark.parametrize("name", [*FAIR, "config", "imtl_g"])
def test_a_task_without_gradient_changes_nothing_for_the_others(name):
    rows = torch.stack((ONE, NONE, TWO))
    two = rows[[0, 2]]
    alone = aggregate(name, two @ two.T, torch.ones(2))
    along = aggregate(name, rows @ rows.T, torch.tensor([1.0, 0.0, 1.0]))
    torch.testing.assert_close(along[[0, 2]], alone)


@pytest.mark.parametrize("name", ON_GRAMS)
def test_opposite_gradients(name):
    rows = torch.stack((ONE, -ONE))
    alpha = aggregate(name, rows @ rows.T)
    expected = torch.tensor(OPPOSITE.get(name, [0, 0])).double()
    torch.testing.assert_close(alpha, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shorter", [0.5, 0.999, 1e-6])
def test_imtl_g_stops_between_opposite_gradients_of_any_length(shorter):
    """As the paper's formula for two tasks has it, and as gradients nearly opposite have it."""
    rows = torch.stack((ONE, -shorter * ONE))
    alpha = aggregate("imtl_g", rows @ rows.T)
    expected = torch.tensor([shorter, 1], dtype=torch.float64) / (1 + shorter)
    torch.testing.assert_close(alpha, expected, rtol=1e-9, atol=0)


def test_imtl_g_comes_near_where_no_projections_are_as_wanted():
    rows = torch.stack((ONE, ONE))
    alpha = aggregate("imtl_g", rows @ rows.T, torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(alpha, torch.tensor([1.5, 1.5]).double())


@pytest.mark.parametrize("name", ON_GRAMS)
def test_three_gradients_alike(name):
    rows = torch.stack((ONE, ONE, ONE))
    update = rows.T @ aggregate(name, rows @ rows.T)
    torch.testing.assert_close(update, ALIKE.get(name, 1.0) * ONE)


@pytest.mark.parametrize("name", ON_GRAMS)
def test_a_stationary_point_of_three_tasks(name):
    """The gradients add up to zero, so no direction helps all; most methods stop there."""
    angles = torch.tensor([0.0, 1.0, 2.0]).double() * 2 * torch.pi / 3
    rows = torch.stack((angles.cos(), angles.sin()), 1)
    update = rows.T @ aggregate(name, rows @ rows.T)
    if name in ("pcgrad", "gradvac"):  # cut one after the other, so something is left
        assert 0.1 < update.norm() < 2
    else:
        assert update.norm() < 1e-9


def test_cagrad_at_a_stationary_point_hurts_no_task_and_stays_near_the_mean():
    """Here g_2 = -g_1, so nothing can be gained along them: d keeps what is orthogonal."""
    rows = torch.tensor([[1.0, 0, 0], [-1.0, 0, 0], [0.2, 3, 0]]).double()
    alpha = aggregate("cagrad", rows @ rows.T)
    assert alpha.max() < 1  # large ones that cancel would be lost in float32
    update = rows.T @ alpha
    expected = torch.tensor([0.0, 1.0, 0]).double()
    torch.testing.assert_close(update, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ON_GRAMS)
def test_one_gradient_a_trillion_times_smaller_than_the_others(name):
    rows = torch.stack((ONE, 1e-12 * TWO, ONE + TWO))
    alpha = aggregate(name, rows @ rows.T)
    assert alpha.isfinite().all()
    assert (rows.T @ alpha).norm() > 0


@pytest.mark.parametrize("name", ["nash_mtl", "config", "pcgrad", "upgrad"])
def test_methods_of_angles_treat_a_tiny_gradient_like_any_other(name):
    rows = torch.stack((ONE, TWO, ONE + TWO))
    tiny = rows * torch.tensor([1.0, 1e-10, 1.0]).double()[:, None]
    cosine = torch.nn.functional.cosine_similarity
    update, expected = (r.T @ aggregate(name, r @ r.T) for r in (tiny, rows))
    if name == "nash_mtl":
        torch.testing.assert_close(update, expected)
    elif name == "config":
        assert cosine(update, expected, dim=0) > 1 - 1e-9
    else:  # the others' gradients still keep out of its way
        assert tiny[1] @ update >= -1e-9 * tiny[1].norm() * update.norm()


@pytest.mark.parametrize("name", ON_GRAMS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_hostile_matrices_have_finite_answers(name, dtype):
    """Few dimensions, copies, zeros, integers, lengths over twelve decades, almost cancelling."""
    for seed in range(25):
        generator = torch.Generator().manual_seed(seed)
        count = int(torch.randint(2, 51, (), generator=generator))
        size = int(torch.randint(1, 60, (), generator=generator))
        rows = torch.randn(count, size, generator=generator).double()
        some = torch.rand(count, generator=generator) < 0.3
        match seed % 5:
            case 0:
                rows *= 10 ** (12 * torch.rand(count, 1, generator=generator).double() - 6)
            case 1:
                rows = rows - rows.mean(0) * (1 - 1e-7)
            case 2:
                rows[some] = rows[0].clone()
            case 3:
                rows = rows.round()
            case 4:
                rows[some] = 0
        weights = torch.rand(count, generator=generator) * (~some)
        gram = (rows @ rows.T).to(dtype)
        assert aggregate(name, gram).isfinite().all(), seed
        assert aggregate(name, gram, weights).isfinite().all(), seed
