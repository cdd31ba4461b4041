"""GradNorm against its own loss, written out for automatic differentiation."""

import pytest
import torch

from robomtl.methods import Combination, MethodError, NonFiniteGradientError
from robomtl.methods.weightings.gradnorm import GradNorm
from tests.methods.problems import TASKS, Slopes, check_resume, saved, weigh


def problem(steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    losses = 0.1 + 3 * torch.rand(steps, 3, generator=generator, dtype=torch.float64)
    gradients = torch.randn(steps, 3, 5, generator=generator, dtype=torch.float64)
    return losses, gradients * torch.tensor([[0.3], [1.0], [3.0]]).double()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.5])
def test_weights_are_those_of_adam_on_the_papers_loss(alpha):
    losses, gradients = problem(60)
    w = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in range(3)]
    adam = torch.optim.Adam(w, lr=0.02)
    expected = []
    for row, rows in zip(losses, gradients, strict=True):
        expected.append(torch.stack(w).detach())
        norms = torch.stack([(x * g).norm() for x, g in zip(w, rows, strict=True)])
        progress = row / losses[0]
        target = (norms.mean() * (progress / progress.mean()) ** alpha).detach()
        adam.zero_grad()
        (norms - target).abs().sum().backward()
        adam.step()
        with torch.no_grad():
            total = torch.stack(w).sum()
            for x in w:
                x.mul_(3 / total)
    found = weigh(GradNorm(3, alpha=alpha, rate=0.02), losses, gradients)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-9, atol=0)


def test_without_a_pull_all_weighted_norms_become_the_same():
    norms = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    losses = torch.ones(800, 3, dtype=torch.float64)
    weights = weigh(GradNorm(3, alpha=0.0, rate=0.01), losses, norms.diag())
    weighted = weights[-1] * norms
    torch.testing.assert_close(
        weighted / weighted.mean(), torch.ones(3).double(), rtol=0.03, atol=0
    )


def test_a_task_that_lags_behind_gains_weight():
    losses = torch.tensor([[1.0, 1.0, 1.0]] + [[0.9, 0.2, 0.2]] * 20, dtype=torch.float64)
    last = weigh(GradNorm(3), losses)[-1]
    assert last[0] > 1.1
    assert last[1] == last[2] < 0.95


def test_weights_sum_to_the_number_of_tasks_and_are_never_negative():
    losses, gradients = problem(200, seed=1)
    gradients[:, 0] *= 1000
    weights = weigh(GradNorm(3, rate=0.2), losses, gradients)
    torch.testing.assert_close(weights.sum(1), torch.full((200,), 3.0).double())
    assert weights.min() == 0


def test_a_task_at_zero_comes_back_once_its_gradient_is_small():
    losses = torch.ones(400, 2, dtype=torch.float64)
    gradients = torch.eye(2, dtype=torch.float64).repeat(400, 1, 1)
    gradients[:200, 0] *= 1000
    weights = weigh(GradNorm(2, rate=0.1), losses, gradients)
    assert weights[:200, 0].min() < 0.01
    assert weights[-1, 0] > 0.8


def test_a_loss_that_is_not_positive_is_named():
    with pytest.raises(MethodError, match=r"GradNorm.*c \(0.0\)"):
        weigh(GradNorm(3), torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]))


class Kinked(Slopes):
    """Task b's loss is finite, and its gradient is not."""

    def losses(self, batch, tasks):
        added = self.point.abs().sum().sqrt()
        found = super().losses(batch, tasks)
        return [x + added if task == "b" else x for x, task in zip(found, tasks, strict=True)]


def test_a_broken_gradient_is_named_and_leaves_the_weights_alone():
    method = Combination(TASKS, GradNorm(3))
    losses = torch.tensor([1.0, 2.0, 3.0])
    method.backward(Slopes(2 * torch.eye(3)), losses)
    before = saved(method.state_dict())["weighting"]["values"]
    with pytest.raises(NonFiniteGradientError, match=r"step 1 for: b\."):
        method.backward(Kinked(torch.eye(3)), losses)
    assert method.state_dict()["weighting"]["values"].equal(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("multi_domain", [False, True])
def test_an_interrupted_run_goes_on_to_the_bit(dtype, multi_domain):
    check_resume(lambda: GradNorm(3, rate=0.05), dtype=dtype, multi_domain=multi_domain)
