"""IAL against its equations, and against gradients taken by hand."""

import math

import pytest
import torch
from torch import nn

from robomtl import methods
from robomtl.methods import MissingArgumentError, UnsuitableObjectiveError
from robomtl.methods.aggregators import WeightsError
from robomtl.methods.impartial import Impartial

TASKS = ("segmentation", "depth", "normals", "noise")


class Regressions:
    """Four regressions on one hidden layer, which nobody can ask for."""

    tasks = TASKS
    multi_domain = False

    def __init__(self, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape):
            return nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64) / 2)

        self.encoder = [draw(4, 6), draw(6)]
        self.heads = {task: [draw(6), draw(())] for task in TASKS}

    def shared_parameters(self):
        return self.encoder

    def task_parameters(self, task):
        return self.heads[task]

    def _encode(self, batch):
        return [(batch[0] @ self.encoder[0] + self.encoder[1]).tanh()]

    def _decode(self, representation, batch, task):
        weight, bias = self.heads[task]
        number = TASKS.index(task)
        return (representation[0] @ weight + bias - batch[1][number]).square().mean() * 3**number

    def losses(self, batch, tasks):
        representation = self._encode(batch)
        return [self._decode(representation, batch, task) for task in tasks]


class Encoded(Regressions):
    """The same, with the hidden layer as its shared representation."""

    def encode(self, batch):
        return self._encode(batch)

    def decode(self, representation, batch, task):
        return self._decode(representation, batch, task)


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(8, 4, generator=generator, dtype=torch.float64),
        torch.randn(len(TASKS), 8, generator=generator, dtype=torch.float64),
    )


def random_gradients(seed, count=4, size=9):
    generator = torch.Generator().manual_seed(seed)
    lengths = 10 ** (4 * torch.rand(count, 1, generator=generator, dtype=torch.float64) - 2)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) * lengths


def weights_of(sigma):
    return 1 / (2 * torch.tensor(sigma, dtype=torch.float64) ** 2)


@pytest.mark.parametrize("seed", range(20))
def test_the_primary_gradient_counts_in_full_and_auxiliary_ones_are_as_long_less_uncertainty(seed):
    rows = random_gradients(seed)
    sigma = [0.7, 0.25, 0.9, 1.5]
    alpha = Impartial([True, False, False, False])(rows @ rows.T, weights_of(sigma))
    lengths = (alpha * rows.norm(dim=1)) / rows[0].norm()
    expected = torch.tensor([1.0, 0.75, 0.1, 0.0], dtype=torch.float64)
    torch.testing.assert_close(lengths, expected)
    assert alpha[0] == 1


@pytest.mark.parametrize("seed", range(5))
def test_several_primary_tasks_are_measured_by_their_sum(seed):
    rows = random_gradients(seed)
    alpha = Impartial([True, False, True, False])(rows @ rows.T, weights_of([9.0, 0.5, 0.1, 0.5]))
    assert alpha[0] == alpha[2] == 1
    expected = 0.5 * (rows[0] + rows[2]).norm() / rows[[1, 3]].norm(dim=1)
    torch.testing.assert_close(alpha[[1, 3]], expected)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_length_of_all_gradients_does_not_matter(scale):
    rows = random_gradients(3)
    weights = weights_of([0.2, 0.4, 0.6, 0.8])
    rule = Impartial([False, True, False, False])
    scaled = rule((scale * rows) @ (scale * rows).T, weights)
    torch.testing.assert_close(scaled, rule(rows @ rows.T, weights))


def test_a_gradient_that_vanishes_gets_nothing_and_asks_for_nothing():
    rows = random_gradients(0)
    rows[2] = 0
    rule = Impartial([True, False, False, False])
    certain = weights_of([0.5] * 4)
    alpha = rule(rows @ rows.T, certain)
    assert alpha.isfinite().all()
    assert alpha[2] == 0
    rows[0] = 0
    assert rule(rows @ rows.T, certain).tolist() == [1, 0, 0, 0]
    opposed = torch.tensor([[0.1], [-0.1], [3.0]], dtype=torch.float64) * rows[1]
    two = Impartial([True, True, False])(opposed @ opposed.T, weights_of([0.5] * 3))
    torch.testing.assert_close(two[2], torch.tensor(0.0, dtype=torch.float64), atol=1e-8, rtol=0)


def test_primary_gradients_that_cancel_but_for_rounding_ask_for_nothing():
    gram = torch.eye(3, dtype=torch.float64)
    gram[0, 1] = gram[1, 0] = -1 - 1e-12
    alpha = Impartial([True, True, False])(gram, weights_of([0.5] * 3))
    assert alpha.tolist() == [1, 1, 0]


def test_a_weight_of_zero_is_endless_uncertainty():
    rows = random_gradients(1)
    alpha = Impartial([True, False, False, False])(rows @ rows.T, torch.zeros(4))
    assert alpha.tolist() == [1, 0, 0, 0]


def test_the_encoder_and_the_decoders_get_what_the_equations_say():
    objective, data = Encoded(), batch(0)
    method = methods.make("ial", TASKS, ["depth"])
    for _ in range(30):  # until the uncertainties differ
        record = method.backward(objective, data)
    weights = torch.tensor([record.weights[task] for task in TASKS], dtype=torch.float64)
    assert len(set(weights.tolist())) == len(TASKS)

    (z,) = objective.encode(data)
    leaf = z.detach().requires_grad_()
    losses = [objective.decode([leaf], data, task) for task in TASKS]
    rows = [torch.autograd.grad(loss, leaf, retain_graph=True)[0] for loss in losses]
    total = rows[1].clone()
    for number in (0, 2, 3):
        sigma = (2 * weights[number]) ** -0.5
        f = min(1.0, max(0.0, 1 - float(sigma)))
        total += f * rows[1].norm() / rows[number].norm() * rows[number]
    expected = torch.autograd.grad(z, objective.encoder, total)
    for parameter, gradient in zip(objective.encoder, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    for weight, loss, task in zip(weights, losses, TASKS, strict=True):
        own = torch.autograd.grad(loss, objective.heads[task], retain_graph=True)
        for parameter, gradient in zip(objective.heads[task], own, strict=True):
            torch.testing.assert_close(parameter.grad, weight * gradient)
    assert record.coefficients["depth"] == 1


def test_the_uncertainties_settle_where_weight_times_loss_is_a_half():
    objective, data = Encoded(), batch(1)
    method = methods.make("ial", TASKS, ["depth"], rate=0.05)
    for _ in range(600):
        record = method.backward(objective, data)
    for task in TASKS:
        assert record.weights[task] * record.losses[task] == pytest.approx(0.5, rel=1e-2)
    sigma = {task: math.sqrt(loss) for task, loss in record.losses.items()}
    for task in ("segmentation", "normals", "noise"):
        assert (record.coefficients[task] > 0) == (sigma[task] < 1)


def test_a_resumed_run_goes_on_to_the_same_bits():
    def run(method, objective, steps):
        optimiser = torch.optim.SGD([p for g in objective.heads.values() for p in g], lr=0.05)
        for step in steps:
            method.backward(objective, batch(step))
            optimiser.step()
        return [p.grad for p in methods.parameters(objective)]

    whole = run(methods.make("ial", TASKS, ["noise"]), Encoded(), range(8))
    first, objective = methods.make("ial", TASKS, ["noise"]), Encoded()
    run(first, objective, range(4))
    second = methods.make("ial", TASKS, ["noise"])
    second.load_state_dict(first.state_dict())
    for one, two in zip(whole, run(second, objective, range(4, 8)), strict=True):
        assert one.equal(two)


def test_all_tasks_primary_or_none_or_another_number_is_refused():
    with pytest.raises(MissingArgumentError, match=r"ial.*primary"):
        methods.make("ial", TASKS)
    with pytest.raises(WeightsError, match="primary"):
        Impartial([False, False])
    with pytest.raises(WeightsError, match="3 tasks"):
        Impartial([True, False])(torch.eye(3))


def test_an_objective_without_shared_representation_is_refused():
    with pytest.raises(UnsuitableObjectiveError, match="encode"):
        methods.make("ial", TASKS, ["depth"]).backward(Regressions(), batch(0))
