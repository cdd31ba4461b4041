"""FAMO against another implementation, and its look back at the last batch."""

import pytest
import torch
from torch import nn

from robomtl.methods import Combination, MethodError, NonFiniteLossError
from robomtl.methods.aggregators import CAGrad
from robomtl.methods.weightings.famo import FAMO
from tests.methods.problems import TASKS, Bowls, check_resume, saved, train


def sgd(bowls, rate=0.02):
    return torch.optim.SGD(bowls.parameters(), lr=rate)


def explicit(bowls, batches, optimiser, *, rate, decay):
    """Return FAMO's weights from its equations, with losses looked at right after each step."""
    xi = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([xi], lr=rate)
    rows = []
    for batch in batches:
        losses = torch.stack(bowls.losses(batch, TASKS))
        z = xi.softmax(0)
        c = 1 / (z / losses).sum().detach()
        optimiser.zero_grad()
        (c * (z.detach() * losses.log()).sum()).backward()
        rows.append((c * z / losses).detach())
        optimiser.step()
        with torch.no_grad():
            after = torch.stack(bowls.losses(batch, TASKS))
        progress = (losses.log() - after.log()).detach()
        adam.zero_grad()
        ((xi.softmax(0) * progress).sum() + decay / 2 * xi.square().sum()).backward()
        adam.step()
    return torch.stack(rows)


@pytest.mark.parametrize("multi_domain", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_weights_are_those_of_the_equations(multi_domain, decay):
    theirs, ours = Bowls(multi_domain=multi_domain), Bowls(multi_domain=multi_domain)
    batches = ours.batches(40)
    expected = explicit(theirs, batches, sgd(theirs), rate=0.1, decay=decay)
    found = train(Combination(TASKS, FAMO(3, rate=0.1, decay=decay)), ours, batches, sgd(ours))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(ours.shared, theirs.shared, rtol=1e-9, atol=0)


def test_weights_are_those_of_torchjd():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.FAMO(3).double()
    bowls, ours = Bowls(), Bowls()
    optimiser = sgd(bowls)
    batches = bowls.batches(40)
    expected = []
    for batch in batches:
        losses = torch.stack(bowls.losses(batch, TASKS))
        optimiser.zero_grad()
        losses.retain_grad()
        theirs(losses).backward()
        expected.append(losses.grad)
        optimiser.step()
        theirs.update(torch.stack(bowls.losses(batch, TASKS)))
    found = train(Combination(TASKS, FAMO(3)), ours, batches, sgd(ours))
    # TorchJD adds 1e-8 to losses.
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-6, atol=0)


def test_weights_sum_to_one_and_start_inverse_to_the_losses():
    bowls = Bowls()
    (batch,) = bowls.batches(1)
    losses = torch.stack(bowls.losses(batch, TASKS)).detach()
    weights = train(Combination(TASKS, FAMO(3)), bowls, [batch], sgd(bowls))[0]
    torch.testing.assert_close(weights, (1 / losses) / (1 / losses).sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("multi_domain", [False, True])
def test_an_interrupted_run_goes_on_to_the_bit(dtype, multi_domain):
    check_resume(lambda: FAMO(3), dtype=dtype, multi_domain=multi_domain)


def test_saving_changes_nothing_about_a_run():
    plain, watched = Bowls(), Bowls()
    batches = plain.batches(20)
    expected = train(Combination(TASKS, FAMO(3)), plain, batches, sgd(plain))
    method, optimiser = Combination(TASKS, FAMO(3)), sgd(watched)
    rows = []
    for batch in batches:
        rows.append(train(method, watched, [batch], optimiser))
        saved(method.state_dict())
        method.state_dict()
    assert torch.cat(rows).equal(expected)


class Normalised(Bowls):
    """Bowls that see their batch through batch norm, whose statistics every pass changes."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4, dtype=torch.float64)

    def shared_parameters(self):
        return [self.shared, *self.norm.parameters()]

    def parameters(self):
        return [*self.shared_parameters(), *self.own.values()]

    def buffers(self):
        return list(self.norm.buffers())

    def losses(self, batch, tasks):
        return super().losses(self.norm(batch), tasks)


@pytest.mark.parametrize("aggregator", [None, CAGrad()])
def test_looking_back_leaves_running_statistics_as_they_were(aggregator):
    bowls = Normalised()
    batches = bowls.batches(10)
    train(Combination(TASKS, FAMO(3), aggregator), bowls, batches, sgd(bowls))
    once = nn.BatchNorm1d(4, dtype=torch.float64)
    for batch in batches:
        once(batch)
    for found, expected in zip(bowls.norm.buffers(), once.buffers(), strict=True):
        assert found.equal(expected)


def test_a_loss_without_a_logarithm_is_named():
    bowls = Bowls()
    bowls.sizes = (1.0, -1.0, 1.0)
    with pytest.raises(MethodError, match=r"FAMO.*b \(-"):
        Combination(TASKS, FAMO(3)).backward(bowls, bowls.batches(1)[0])


def test_parameters_that_broke_in_the_last_step_are_noticed_when_saving():
    bowls = Bowls()
    method = Combination(TASKS, FAMO(3))
    method.backward(bowls, bowls.batches(1)[0])
    with torch.no_grad():
        bowls.own["c"].fill_(torch.nan)
    with pytest.raises(NonFiniteLossError, match="c"):
        method.state_dict()
