"""Dynamic weight average against ratios of averages."""

import math

import pytest
import torch

from robomtl.methods import MethodError
from robomtl.methods.weightings.dwa import DynamicWeightAverage
from tests.methods.problems import check_resume, weigh


def random_losses(steps):
    generator = torch.Generator().manual_seed(steps)
    return 0.1 + 3 * torch.rand(steps, 3, generator=generator, dtype=torch.float64)


def test_a_task_that_stands_still_outweighs_one_that_halves():
    losses = torch.tensor([[4.0, 1.0]] * 2 + [[2.0, 1.0]] * 2 + [[9.0, 9.0]], dtype=torch.float64)
    halved, same = math.exp(0.5 / 2), math.exp(1 / 2)
    expected = [2 * halved / (halved + same), 2 * same / (halved + same)]
    assert weigh(DynamicWeightAverage(2, window=2), losses)[-1].tolist() == pytest.approx(expected)


def test_all_weights_are_one_until_two_windows_are_full():
    weights = weigh(DynamicWeightAverage(3, window=5), random_losses(11))
    assert (weights[:10] == 1).all()
    assert (weights[10] != 1).all()


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_weights_are_torchjds_with_a_window_for_an_epoch(window, temperature):
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.DWA(temperature)
    losses = random_losses(6 * window + 1)
    expected = []
    for number, row in enumerate(losses):
        if number and number % window == 0:
            theirs.step()
        row = row.clone().requires_grad_()
        expected.append(torch.autograd.grad(theirs(row), row)[0])
    ours = DynamicWeightAverage(3, window=window, temperature=temperature)
    torch.testing.assert_close(weigh(ours, losses), torch.stack(expected), rtol=1e-12, atol=0)


def test_weights_sum_to_the_number_of_tasks():
    sums = weigh(DynamicWeightAverage(3, window=3), random_losses(30)).sum(1)
    torch.testing.assert_close(sums, torch.full((30,), 3.0).double())


def test_a_loss_without_a_ratio_is_named():
    with pytest.raises(MethodError, match=r"DWA.*a \(-1.0\)"):
        weigh(DynamicWeightAverage(2), torch.tensor([[-1.0, 1.0]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("window", [3, 5, 100])
def test_an_interrupted_run_goes_on_to_the_bit(dtype, window):
    check_resume(lambda: DynamicWeightAverage(3, window=window), dtype=dtype)
