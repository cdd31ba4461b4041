"""Uncertainty weighting against the loss that it minimises."""

import math

import pytest
import torch

from robomtl.methods import MethodError
from robomtl.methods.weightings.uncertainty import Uncertainty
from tests.methods.problems import check_resume, weigh


def random_losses(steps, dtype=torch.float64):
    generator = torch.Generator().manual_seed(steps)
    return 0.1 + 3 * torch.rand(steps, 3, generator=generator, dtype=dtype)


def test_training_starts_from_the_sum_of_the_losses():
    torch.testing.assert_close(
        weigh(Uncertainty(3), random_losses(1)), torch.ones(1, 3).double(), atol=0, rtol=1e-15
    )


def test_weights_are_those_of_adam_on_the_papers_loss():
    losses = random_losses(50)
    s = torch.full((3,), -math.log(2) / 2, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([s], lr=0.03)
    expected = []
    for row in losses:
        sigma = s.exp()
        expected.append((1 / (2 * sigma**2)).detach())
        adam.zero_grad()
        (row / (2 * sigma**2) + sigma.log()).sum().backward()
        adam.step()
    found = weigh(Uncertainty(3, rate=0.03), losses)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-12, atol=0)


def test_the_loss_is_torchjds_of_the_log_variance():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.UW(3).double()
    losses = torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    weights = []
    for initial in (0.2, 1.0, 5.0):
        with torch.no_grad():
            theirs.log_var.fill_(-math.log(2 * initial))
        (expected,) = torch.autograd.grad(theirs(losses), losses)
        weights.append(weigh(Uncertainty(3, initial=initial), losses.detach()[None])[0] - expected)
    assert torch.stack(weights).abs().max() < 1e-14


def test_weights_of_constant_losses_tend_to_half_their_inverse():
    losses = torch.tensor([0.1, 1.0, 20.0], dtype=torch.float64)
    weights = weigh(Uncertainty(3, rate=0.02), losses.expand(1000, 3))
    torch.testing.assert_close(weights[-1], 1 / (2 * losses), rtol=1e-2, atol=0)


def test_a_negative_loss_is_named_and_none_at_all_is_fine():
    with pytest.raises(MethodError, match=r"Uncertainty weighting.*b \(-1\.0\)"):
        weigh(Uncertainty(3), torch.tensor([[1.0, -1.0, 0.0]]))
    perfect = torch.tensor([[1.0, 0.0, -1e-8]], dtype=torch.float64)
    assert weigh(Uncertainty(3, rate=0.1), perfect.expand(50, 3)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("multi_domain", [False, True])
def test_an_interrupted_run_goes_on_to_the_bit(dtype, multi_domain):
    check_resume(lambda: Uncertainty(3, rate=0.05), dtype=dtype, multi_domain=multi_domain)
