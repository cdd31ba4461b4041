"""What every method does to `.grad`, and what it says about it."""

import math

import pytest
import torch
from torch import nn

from robomtl import methods
from robomtl.methods import (
    NonFiniteGradientError,
    NonFiniteLossError,
    UnsuitableObjectiveError,
    aggregate,
)
from tests.methods.problems import TASKS, Bowls, Slopes

GRADIENTS = torch.tensor(
    [[1.0, 2.0, 0.0, 0.0], [-1.0, 0.5, 1.0, 0.0], [0.0, -3.0, 1.0, 2.0]], dtype=torch.float64
)
LOSSES = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)


def owned(slopes):
    return torch.stack([slopes.own[task].grad for task in slopes.tasks])


def test_equal_weighting_takes_the_mean_of_the_losses():
    slopes = Slopes(GRADIENTS)
    record = methods.make("equal", TASKS).backward(slopes, LOSSES)
    torch.testing.assert_close(slopes.point.grad, GRADIENTS.mean(0))
    torch.testing.assert_close(owned(slopes), torch.full((3,), 1 / 3, dtype=torch.float64))
    assert record.losses == {"a": 1.0, "b": 2.0, "c": 4.0}
    assert record.weights == record.coefficients == dict.fromkeys(TASKS, 1 / 3)
    assert record.gram is None
    assert record.gradient_norms is record.cosines is record.condition_number is None


def test_an_aggregator_alone_leaves_own_parameters_their_plain_gradients():
    slopes = Slopes(GRADIENTS)
    record = methods.make("pcgrad", TASKS).backward(slopes, LOSSES)
    alpha = torch.tensor(list(record.coefficients.values()), dtype=torch.float64)
    torch.testing.assert_close(slopes.point.grad, alpha @ GRADIENTS)
    torch.testing.assert_close(owned(slopes), torch.ones(3, dtype=torch.float64))


def test_a_weighting_and_an_aggregator_work_together():
    slopes = Slopes(GRADIENTS)
    given = {"a": 0.2, "b": 1.0, "c": 0.5}
    method = methods.make("fixed+aligned_mtl", TASKS, weights=given)
    record = method.backward(slopes, LOSSES)
    weights = torch.tensor(list(given.values()), dtype=torch.float64)
    alpha = aggregate("aligned_mtl", GRADIENTS @ GRADIENTS.T, weights)
    torch.testing.assert_close(slopes.point.grad, alpha @ GRADIENTS)
    torch.testing.assert_close(owned(slopes), weights)
    assert record.weights == given
    assert list(record.coefficients.values()) == pytest.approx(alpha.tolist())


def test_the_record_describes_the_task_gradients():
    record = methods.make("mgda", TASKS).backward(Slopes(GRADIENTS), LOSSES)
    norms = GRADIENTS.norm(dim=1)
    assert list(record.gradient_norms.values()) == pytest.approx(norms.tolist())
    torch.testing.assert_close(record.cosines, torch.cosine_similarity(*_pairs(), dim=-1))
    assert record.condition_number == pytest.approx(float(torch.linalg.cond(GRADIENTS)))


def _pairs():
    return GRADIENTS[:, None].expand(3, 3, 4), GRADIENTS[None].expand(3, 3, 4)


def test_dependent_gradients_have_no_finite_condition_number():
    gradients = torch.tensor([[1.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    record = methods.make("aligned_mtl", ("a", "b")).backward(Slopes(gradients), LOSSES[:2])
    assert record.condition_number > 1e7


def test_gradients_are_set_and_not_added_to_those_of_the_last_step():
    slopes = Slopes(GRADIENTS)
    method = methods.make("cagrad", TASKS)
    method.backward(slopes, LOSSES)
    first = slopes.point.grad.clone()
    method.backward(slopes, LOSSES)
    torch.testing.assert_close(slopes.point.grad, first)


@pytest.mark.parametrize("name", ["equal", "aligned_mtl", "graddrop", "uncertainty", "gradnorm"])
def test_a_parameter_that_nobody_uses_gets_no_gradient(name):
    slopes = Slopes(GRADIENTS)
    idle = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    slopes.shared_parameters = lambda: [slopes.point, idle]
    methods.make(name, TASKS).backward(slopes, LOSSES)
    assert idle.grad is None
    assert slopes.point.grad is not None


@pytest.mark.parametrize("name", ["equal", "aligned_mtl", "imtl", "dwa+pcgrad", "graddrop"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_non_finite_loss_names_task_and_step_and_touches_nothing(name, bad):
    slopes = Slopes(GRADIENTS)
    method = methods.make(name, TASKS)
    for _ in range(3):
        method.backward(slopes, LOSSES)
    before = slopes.point.grad.clone()
    with pytest.raises(NonFiniteLossError, match=r"step 3.*b") as caught:
        method.backward(slopes, torch.tensor([1.0, bad, 1.0]))
    assert list(caught.value.losses) == ["b"]
    assert slopes.point.grad.equal(before)


class Rooted(Slopes):
    """The second task's loss has a finite value and an infinite slope."""

    def losses(self, batch, tasks):
        found = super().losses(batch, tasks)
        for number, task in enumerate(tasks):
            if task == "b":
                found[number] = found[number] + self.point.square().sum().sqrt()
        return found


@pytest.mark.parametrize("name", ["equal", "aligned_mtl", "graddrop", "gcs", "uncertainty"])
def test_a_non_finite_gradient_names_task_and_step_and_touches_nothing(name):
    slopes = Rooted(GRADIENTS)
    method = methods.make(name, TASKS, ["a"])
    with pytest.raises(NonFiniteGradientError, match=r"step 0.*: b\.") as caught:
        method.backward(slopes, LOSSES)
    assert caught.value.tasks == ("b",)
    assert slopes.point.grad is None
    assert all(own.grad is None for own in slopes.own.values())


class Apart:
    """Tasks that share nothing; the slope of a's loss is not finite."""

    tasks = ("a", "b")
    multi_domain = False

    def __init__(self):
        self.own = {task: nn.Parameter(torch.zeros(2)) for task in self.tasks}

    def shared_parameters(self):
        return []

    def task_parameters(self, task):
        return [self.own[task]]

    def losses(self, batch, tasks):
        squares = {task: self.own[task].square().sum() for task in tasks}
        return [x.sqrt() if task == "a" else x for task, x in squares.items()]


@pytest.mark.parametrize("name", ["equal", "auto_lambda"])
def test_a_non_finite_gradient_is_named_where_nothing_is_shared(name):
    apart = Apart()
    optimiser = torch.optim.SGD(apart.own.values(), lr=0.1)
    with pytest.raises(NonFiniteGradientError, match=r"step 0 for: a\."):
        methods.make(name, apart.tasks, optimiser=optimiser).backward(apart, None, 1)
    assert all(own.grad is None for own in apart.own.values())


class SteepEncoder:
    """Losses and representation are as tame as can be; the encoder's slope at zero is not."""

    tasks = ("a", "b")
    multi_domain = False

    def __init__(self):
        self.weight = nn.Parameter(torch.tensor([0.0, 1.0]))
        self.heads = {task: nn.Parameter(torch.ones(2)) for task in self.tasks}

    def shared_parameters(self):
        return [self.weight]

    def task_parameters(self, task):
        return [self.heads[task]]

    def encode(self, batch):
        return [self.weight.square().sqrt() + batch]

    def decode(self, representation, batch, task):
        return (self.heads[task] * representation[0] - 2).square().mean()

    def losses(self, batch, tasks):
        return [self.decode(self.encode(batch), batch, task) for task in tasks]


@pytest.mark.parametrize("name", ["mgda_ub", "aligned_mtl_ub", "equal+mgda_ub", "ial"])
def test_a_non_finite_gradient_of_the_encoder_is_noticed(name):
    steep = SteepEncoder()
    method = methods.make(name, steep.tasks, ["a"])
    with pytest.raises(NonFiniteGradientError, match="step 0"):
        method.backward(steep, torch.ones(2))
    assert steep.weight.grad is None
    assert all(head.grad is None for head in steep.heads.values())


@pytest.mark.parametrize("name", ["aligned_mtl", "gradnorm", "mgda_ub", "uncertainty+pcgrad"])
def test_methods_that_compare_gradients_need_something_shared_to_train(name):
    frozen = SteepEncoder()
    frozen.weight.requires_grad_(False)
    with pytest.raises(UnsuitableObjectiveError, match="share none that is trained"):
        methods.make(name, frozen.tasks).backward(frozen, torch.ones(2))


@pytest.mark.parametrize("name", ["equal", "auto_lambda", "imtl_l"])
def test_other_methods_do_not(name):
    frozen = SteepEncoder()
    frozen.weight.requires_grad_(False)
    optimiser = torch.optim.SGD(frozen.heads.values(), lr=0.1)
    method = methods.make(name, frozen.tasks, optimiser=optimiser)
    for _ in range(2):
        method.backward(frozen, torch.ones(2), torch.ones(2))
    assert all(head.grad is not None for head in frozen.heads.values())


class Sum:
    """Parameters of which only a sum matters: a graph gives all of them the same memory."""

    tasks = ("a", "b")
    multi_domain = False

    def __init__(self, shapes):
        self.parts = [nn.Parameter(torch.ones(shape)) for shape in shapes]

    def shared_parameters(self):
        return self.parts

    def task_parameters(self, task):
        return []

    def losses(self, batch, tasks):
        first, *others = self.parts
        total = first + torch.cat([part.flatten() for part in others])
        return [total.sum(), 2 * total.square().sum()]


@pytest.mark.parametrize("shapes", [[4, 4], [4, (2, 2)], [4, 1, 3]], ids=["one", "view", "pieces"])
def test_no_two_gradients_share_memory(shapes):
    problem = Sum(shapes)
    methods.make("equal", problem.tasks).backward(problem, None)
    wanted = [part.grad.clone() for part in problem.parts]
    for part in problem.parts:
        part.grad.mul_(2)
    for part, gradient in zip(problem.parts, wanted, strict=True):
        assert part.grad.equal(2 * gradient)


def test_a_restored_method_counts_on():
    method, restored = methods.make("equal", TASKS), methods.make("equal", TASKS)
    method.backward(Slopes(GRADIENTS), LOSSES)
    restored.load_state_dict(method.state_dict())
    with pytest.raises(NonFiniteLossError, match="step 1"):
        restored.backward(Slopes(GRADIENTS), LOSSES * math.nan)


def test_objectives_that_do_not_fit_are_refused():
    with pytest.raises(UnsuitableObjectiveError, match=r"\['a', 'b', 'c'\].*\['a', 'c'\]"):
        methods.make("equal", ("a", "c")).backward(Slopes(GRADIENTS), LOSSES)
    with pytest.raises(UnsuitableObjectiveError, match="shared representation"):
        methods.make("mgda_ub", TASKS).backward(Slopes(GRADIENTS), LOSSES)


def test_weights_that_turned_negative_are_nothing_to_aggregators_that_cannot_use_them():
    bowls = Bowls()
    optimiser = torch.optim.SGD(bowls.parameters(), lr=0.01)
    method = methods.make("auto_lambda+cagrad", TASKS, optimiser=optimiser)
    method.weighting._learned.values = torch.tensor([0.5, -0.5, 0.2], dtype=torch.float64)
    first, second = bowls.batches(2)
    record = method.backward(bowls, first, second)
    assert record.weights["b"] == 0
    assert bowls.own["b"].grad.count_nonzero() == 0


class Pictures:
    """Two regressions on a convolution whose weights lie in memory channels last."""

    tasks = ("a", "b")
    multi_domain = False

    def __init__(self):
        torch.manual_seed(0)
        self.network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        self.heads = {task: nn.Conv2d(4, 1, 4) for task in self.tasks}

    def shared_parameters(self):
        return list(self.network.parameters())

    def task_parameters(self, task):
        return list(self.heads[task].parameters())

    def encode(self, batch):
        return [self.network(batch).tanh()]

    def decode(self, representation, batch, task):
        return (self.heads[task](representation[0]) - 1).square().mean()

    def losses(self, batch, tasks):
        representation = self.encode(batch)
        return [self.decode(representation, batch, task) for task in tasks]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(
    "name", ["equal", "equal+aligned_mtl", "graddrop", "auto_lambda", "gradnorm", "mgda_ub"]
)
def test_gradients_lie_in_memory_as_their_parameters_do(name, fused):
    pictures = Pictures()
    everything = methods.parameters(pictures)
    optimiser = torch.optim.Adam(everything, lr=0.1, fused=fused)
    images = torch.randn(5, 3, 6, 6).to(memory_format=torch.channels_last)
    method = methods.make(name, pictures.tasks, optimiser=optimiser)
    method.backward(pictures, images, images)
    before = [p.detach().clone() for p in everything]
    optimiser.step()
    for parameter, old in zip(everything, before, strict=True):
        assert parameter.grad.stride() == parameter.stride()
        # The first step of Adam goes against the sign of the gradient.
        torch.testing.assert_close(
            parameter, old - 0.1 * parameter.grad.sign(), rtol=1e-3, atol=1e-3
        )
