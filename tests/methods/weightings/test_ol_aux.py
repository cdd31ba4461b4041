"""OL-AUX against gradients of logarithms from automatic differentiation."""

import pytest
import torch

from robomtl.methods import Combination, MethodError, MissingArgumentError, make
from robomtl.methods.weightings.ol_aux import OnlineAuxiliary
from tests.methods.problems import TASKS, Bowls, check_resume, weigh


@pytest.mark.parametrize("primary", [["a"], ["c"], ["a", "c"]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_follow_the_products_of_the_logarithms_gradients(primary, dtype):
    bowls = Bowls(dtype=dtype)
    optimiser = torch.optim.SGD(bowls.parameters(), lr=0.02)
    ours = OnlineAuxiliary(TASKS, primary, rate=0.01, every=3, offset=0.02)
    method = Combination(TASKS, ours)
    main = [TASKS.index(task) for task in primary]
    w, total = torch.ones(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for number, batch in enumerate(bowls.batches(14), start=1):
        losses = torch.stack(bowls.losses(batch, TASKS)).double()
        main_loss = (losses[main].sum() + 0.02).log()
        logs = [(x + 0.02).log() for x in losses]
        # What training minimises is sum_i w_i log L_i plus the main log loss.
        whole = main_loss + sum(w[i] * logs[i] for i in range(3) if i not in main)
        (expected,) = torch.autograd.grad(whole, bowls.shared, retain_graph=True)
        (g_main,) = torch.autograd.grad(main_loss, bowls.shared, retain_graph=True)
        for i, log in enumerate(logs):
            (g,) = torch.autograd.grad(log, bowls.shared, retain_graph=True)
            total[i] += (g.double() @ g_main.double()).item()
        method.backward(bowls, batch)
        tolerance = {"rtol": 2e-5 if dtype == torch.float32 else 1e-11, "atol": 1e-6}
        torch.testing.assert_close(bowls.shared.grad, expected, **tolerance)
        optimiser.step()
        if number % 3 == 0:
            w = (w + 0.01 * total).clamp(min=0)
            total = torch.zeros_like(total)


def test_a_helpful_task_gains_what_a_harmful_one_loses_until_nothing_is_left():
    gradients = torch.tensor([[1.0, 0.0], [1.0, 3.0], [-1.0, 3.0]], dtype=torch.float64)
    ours = OnlineAuxiliary(TASKS, ["a"], rate=0.1, every=2, offset=0.0)
    weights = weigh(ours, torch.ones(23, 3, dtype=torch.float64), gradients)
    assert (weights[:, 0] == 1).all()
    torch.testing.assert_close(weights[::2, 1], 1 + 0.2 * torch.arange(12).double())
    torch.testing.assert_close(
        weights[::2, 2], (1 - 0.2 * torch.arange(12).double()).clamp(min=0), rtol=0, atol=1e-12
    )


def test_scaling_an_auxiliary_loss_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    losses = 1 + torch.rand(20, 3, generator=generator, dtype=torch.float64)
    gradients = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    scale = torch.tensor([1.0, 50.0, 0.1], dtype=torch.float64)
    plain, scaled = (
        weigh(OnlineAuxiliary(TASKS, ["a"], offset=0.0), losses * s, gradients * s[:, None])
        for s in (torch.ones_like(scale), scale)
    )
    torch.testing.assert_close(scaled * scale, plain, rtol=1e-12, atol=0)


def test_a_loss_of_zero_is_weighed_and_one_without_a_logarithm_is_named():
    assert weigh(OnlineAuxiliary(("a", "b"), ["a"]), torch.zeros(1, 2)).tolist() == [[50, 50]]
    with pytest.raises(MethodError, match=r"OL-AUX.*above -0.02.*b \(-1.0\)"):
        weigh(OnlineAuxiliary(("a", "b"), ["a"]), torch.tensor([[1.0, -1.0]]))


def test_without_an_auxiliary_task_there_is_nothing_to_weigh():
    with pytest.raises(MissingArgumentError, match=r"ol_aux.*primary"):
        make("ol_aux", TASKS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("every", [1, 5, 13])
def test_an_interrupted_run_goes_on_to_the_bit(dtype, every):
    check_resume(lambda: OnlineAuxiliary(TASKS, ["b"], every=every), dtype=dtype)
