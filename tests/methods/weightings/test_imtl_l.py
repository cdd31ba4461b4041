"""IMTL-L against the loss that it minimises."""

import pytest
import torch

from robomtl.methods import MethodError
from robomtl.methods.weightings.imtl_l import IMTLL
from tests.methods.problems import check_resume, weigh


def test_weights_are_those_of_adam_on_torchjds_loss():
    scalarization = pytest.importorskip("torchjd.scalarization")
    generator = torch.Generator().manual_seed(0)
    losses = 0.1 + 3 * torch.rand(50, 3, generator=generator, dtype=torch.float64)
    theirs = scalarization.IMTLL(3).double()
    adam = torch.optim.Adam(theirs.parameters(), lr=0.03)
    expected = []
    for row in losses:
        row.requires_grad_()
        adam.zero_grad()
        theirs(row).backward()
        expected.append(row.grad)
        adam.step()
    found = weigh(IMTLL(3, rate=0.03), losses.detach())
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-12, atol=0)


def test_weighted_losses_become_one():
    losses = torch.tensor([0.2, 1.0, 8.0], dtype=torch.float64)
    weights = weigh(IMTLL(3, rate=0.05), losses.expand(1000, 3))
    torch.testing.assert_close(weights[-1] * losses, torch.ones(3).double(), rtol=1e-2, atol=0)


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_losses_without_a_finite_weight_are_named(bad):
    with pytest.raises(MethodError, match=rf"IMTL-L.*above 0.*b \({bad}\)"):
        weigh(IMTLL(3), torch.tensor([[1.0, bad, 2.0]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("multi_domain", [False, True])
def test_an_interrupted_run_goes_on_to_the_bit(dtype, multi_domain):
    check_resume(lambda: IMTLL(3, rate=0.05), dtype=dtype, multi_domain=multi_domain)
