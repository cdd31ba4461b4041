import numpy as np
import pytest
import torch
from PIL import Image

from robomtl import methods
from robomtl.methods import CombinationError, MethodError, UnknownMethodError
from robomtl.progress import console
from robomtl.toy import trajectory
from robomtl.toy.optimum import optimum, pareto_front
from robomtl.toy.problem import STARTS, TASKS, ToyObjective, losses
from robomtl.toy.trajectory import EVERY, Walk, unsuitable, walk

EQUAL = torch.tensor([[0.5, 0.5]])


def mean_loss(points):
    return losses(torch.as_tensor(points)).mean(-1)


def steps(method, start, *, count, rate):
    return walk(Walk(method=method, start=start, steps=count, learning_rate=rate))


def test_losses_are_those_of_the_literature():
    # Worked out by hand from the formulas of CAGrad's appendix.
    x, y = -8.5, 7.5
    weight = np.tanh(3.75)
    first = np.log(abs(0.75 + np.tanh(7.5))) + 6
    second = np.log(abs(5.75 - np.tanh(7.5) + 2)) + 6
    found = losses(torch.tensor([[x, y], [7.0, -8.0]], dtype=torch.float64))
    np.testing.assert_allclose(found[0], [weight * first, weight * second])
    np.testing.assert_allclose(found[1], [-20 * np.tanh(4), (19.6 - 20) * np.tanh(4)])


def test_gradients_agree_with_finite_differences_away_from_the_kinks():
    generator = torch.Generator().manual_seed(0)
    points = 18 * torch.rand(50, 2, dtype=torch.float64, generator=generator) - 9
    assert torch.autograd.gradcheck(losses, points.requires_grad_(), atol=1e-4)


def test_a_start_between_the_halves_is_not_stuck():
    objective = ToyObjective((0.0, 0.0))
    methods.make("equal", TASKS).backward(objective, ())
    assert objective.point.grad[1] > 1


def test_the_objective_gives_the_losses_that_are_asked_for_in_that_order():
    objective = ToyObjective((1.0, -2.0))
    both = losses(objective.point).tolist()
    assert [loss.item() for loss in objective.losses((), ("second", "first"))] == both[::-1]
    assert [loss.item() for loss in objective.losses((), ("second",))] == both[1:]


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.2, 0.8), (1.0, 0.0)])
def test_no_random_point_is_better_than_the_optimum_and_its_gradient_vanishes(weights):
    weights = torch.tensor(weights, dtype=torch.float64)
    best = optimum(weights[None])[0].requires_grad_()
    value = losses(best) @ weights
    (gradient,) = torch.autograd.grad(value, best)
    assert gradient.norm() < 1e-5
    generator = torch.Generator().manual_seed(0)
    points = 30 * torch.rand(100_000, 2, dtype=torch.float64, generator=generator) - 15
    assert (losses(points) @ weights).min() >= value


def test_no_random_point_dominates_the_pareto_front():
    front = losses(pareto_front(21))
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(20_000, 2, dtype=torch.float64, generator=generator)
    others = losses(points * torch.tensor([22, 4]) - torch.tensor([11, 10]))
    dominated = (others[:, None] < front - 1e-9).all(-1).any(0)
    assert not dominated.any()
    assert (front[1:, 0] < front[:-1, 0]).all()
    assert (front[1:, 1] > front[:-1, 1]).all()


# On a coarse clock: a hundred times the usual rate, and as many steps as the usual path needs.
@pytest.mark.parametrize("start", STARTS)
def test_aligned_mtl_reaches_the_optimum_from_everywhere(start):
    best = optimum(EQUAL)[0].numpy()
    end = steps("aligned_mtl", start, count=1000, rate=0.1).points[-1]
    # It stops where the common part of the gradients is no longer told from rounding (tolerance).
    assert np.linalg.norm(end - best) < 0.05
    assert mean_loss(end) - mean_loss(best) < 1e-4


@pytest.mark.slow
def test_with_the_rate_of_the_papers_aligned_mtl_alone_reaches_the_optimum_from_everywhere():
    best = optimum(EQUAL)[0].numpy()

    def distances(method):
        ends = [steps(method, start, count=35_000, rate=1e-3).points[-1] for start in STARTS]
        return [float(np.linalg.norm(end - best)) for end in ends]

    assert max(distances("aligned_mtl")) < 0.05
    assert [distance < 0.1 for distance in distances("equal")] == [False, True, False, True, True]


def test_a_trajectory_starts_at_its_start_and_keeps_its_end():
    walked = steps("equal", STARTS[1], count=2 * EVERY + 3, rate=1e-3)
    assert walked.points.shape == (4, 2)
    assert tuple(walked.points[0]) == STARTS[1]
    end = steps("equal", STARTS[1], count=2 * EVERY, rate=1e-3).points[-1]
    assert (walked.points[2] == end).all()
    assert walked.stopped == ""


def test_a_method_that_cannot_go_on_stops_and_says_why():
    # Losses are negative in the lower half, where this method takes logarithms of them.
    walked = steps("famo", (9.0, -1.0), count=50, rate=1e-3)
    assert walked.stopped.startswith("step 1: ")
    assert walked.points.tolist() == [[9.0, -1.0]]


@pytest.mark.parametrize("fails", [EVERY + 1, EVERY + 4])
def test_the_point_at_which_a_method_stops_is_kept(monkeypatch, fails):
    class Stops:
        def __init__(self, name, optimiser):
            self.method, self.steps = methods.make("equal", TASKS), 0

        def backward(self, *given):
            self.steps += 1
            if self.steps == fails:
                raise MethodError("enough")
            self.method.backward(*given)

    whole = steps("equal", STARTS[1], count=fails - 1, rate=1e-2)
    monkeypatch.setattr(trajectory, "make", Stops)
    walked = steps("equal", STARTS[1], count=50, rate=1e-2)
    assert walked.stopped == f"step {fails}: enough"
    assert walked.points.tolist() == whole.points.tolist()


def test_methods_that_need_more_than_the_toy_has_are_told_from_unknown_ones():
    names = ("equal", "fixed", "mgda_ub", "gcs", "auto_lambda", "auto_lambda+aligned_mtl")
    refused = unsuitable(names, STARTS[0])
    assert set(refused) == {"mgda_ub", "gcs"}
    assert "representation" in refused["mgda_ub"]
    assert "primary" in refused["gcs"]
    with pytest.raises(UnknownMethodError, match="magic"):
        unsuitable(("magic",), STARTS[0])
    with pytest.raises(CombinationError):
        unsuitable(("pcgrad+mgda",), STARTS[0])


def test_the_command_writes_trajectories_and_a_picture_and_prints_where_they_end(printed, tmp_path):
    chosen = ("--methods", "equal", "aligned_mtl", "gcs", "--steps", 30, "--workers", 1)
    text = printed("toy", *chosen, "--out", tmp_path)
    assert "gcs does not apply: " in text
    assert "mean loss -15.092" in text
    assert text.count("(-8.5, 7.5)") >= 2
    with np.load(tmp_path / "trajectories.npz") as saved:
        wanted = {f"{name}/{i}" for name in ("equal", "aligned_mtl") for i in range(len(STARTS))}
        assert set(saved) == wanted
        assert saved["equal/3"].shape == (4, 2)
        assert tuple(saved["equal/3"][0]) == STARTS[3]
    with Image.open(tmp_path / "toy.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500


def test_a_narrow_terminal_cuts_no_name_short(printed, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "width", 80)
    name = "rlw_dirichlet+aligned_mtl_median"
    text = printed("toy", "--methods", name, "--steps", 1, "--workers", 1, "--out", tmp_path)
    table = text[text.index("┃ method") :]
    cells = [line.split("│")[1].strip() for line in table.splitlines() if line.startswith("│")]
    assert "".join(cells) == name


def test_wrong_options_are_answered_with_what_is_wrong(refused, tmp_path):
    out = ("--out", tmp_path)
    message = refused("toy", "--methods", "magic", *out)
    assert "'magic'" in message
    assert "aligned_mtl" in message
    assert "steps must be at least 1, not 0" in refused("toy", "--steps", 0, *out)
    for rate in (0, "inf", "nan"):
        assert "learning_rate must be positive and finite" in refused(
            "toy", "--learning-rate", rate, *out
        )
    assert "at least one method" in refused("toy", "--methods", *out)
    message = refused("toy", "--methods", "gcs", "mgda_ub", *out)
    assert "gcs does not apply: " in message
    assert "mgda_ub does not apply: " in message
    assert list(tmp_path.iterdir()) == []
