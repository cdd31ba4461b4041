"""Auto-lambda's finite difference where an aggregator has taken the gradients apart."""

import pytest
import torch

from robomtl import methods
from robomtl.methods import NonFiniteLossError
from tests.methods.problems import TASKS, Bowls
from tests.methods.test_every_method import Encoded

_OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.02),
}


def learned(name, bowls, optimiser, *, steps=4):
    """Return each step's lambda, (steps, 3), with gradients of the mean to train by."""
    method = methods.make(name, TASKS, ["a"], optimiser=optimiser, rate=0.01)
    rows = []
    for batch, held_out in zip(bowls.batches(steps), bowls.batches(steps, seed=2), strict=True):
        record = method.backward(bowls, batch, held_out)
        rows.append([record.weights[task] for task in TASKS])
        methods.make("equal", TASKS).backward(bowls, batch)
        optimiser.step()
    return torch.tensor(rows)


@pytest.mark.parametrize("optimiser", _OPTIMISERS)
@pytest.mark.parametrize(
    ("aggregator", "kind"), [("pcgrad", Bowls), ("graddrop", Bowls), ("mgda_ub", Encoded)]
)
def test_weights_are_learned_as_without_an_aggregator(aggregator, kind, optimiser):
    found = []
    for name in ("auto_lambda_finite_difference", f"auto_lambda_finite_difference+{aggregator}"):
        bowls = kind()
        found.append(learned(name, bowls, _OPTIMISERS[optimiser](bowls.parameters())))
    assert found[0][-1].unique().numel() == 3
    torch.testing.assert_close(*found)


class Fenced(Bowls):
    """Task b's loss has no value a little beyond where the parameters are."""

    def losses(self, batch, tasks):
        moved = (self.shared - self.start).abs().sum()
        fence = (1e-4 - moved).log()
        found = super().losses(batch, tasks)
        return [x + 0 * fence if task == "b" else x for x, task in zip(found, tasks, strict=True)]


def test_a_probed_loss_that_is_not_finite_teaches_nothing():
    bowls = Fenced()
    bowls.start = bowls.shared.detach().clone()
    optimiser = torch.optim.SGD(bowls.parameters(), lr=1e-7)
    method = methods.make("auto_lambda_finite_difference", TASKS, ["a"], optimiser=optimiser)
    batch, held_out = bowls.batches(2)
    with pytest.raises(NonFiniteLossError, match=r"b \(nan\)"):
        method.backward(bowls, batch, held_out)
    assert method.weighting._learned.values.tolist() == [0.1, 0.1, 0.1]
