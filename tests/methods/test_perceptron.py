"""Linear layers and ReLUs as one operation: what torch makes of them one by one is the oracle."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from robomtl.methods import UnsuitableObjectiveError
from robomtl.methods.perceptron import perceptron
from robomtl.methods.taskwise import Taskwise

WIDTHS = st.lists(st.integers(1, 6), min_size=2, max_size=5)


def layers(widths, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)

    def parameter(*shape):
        return nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype))

    weights = [parameter(after, before) for before, after in pairwise(widths)]
    return weights, [parameter(after) for after in widths[1:]]


def one_by_one(x, weights, biases, *, rectified=False):
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), 1):
        x = F.linear(x, weight, bias)
        if number < len(weights) or rectified:
            x = x.relu()
    return x


def rows(count, width, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, width, generator=generator, dtype=dtype, requires_grad=True)


@given(WIDTHS, st.booleans(), st.integers(1, 9), st.integers(0, 99))
def test_value_and_gradients_are_those_of_layers_run_one_by_one(widths, rectified, count, seed):
    weights, biases = layers(widths, seed)
    x = rows(count, widths[0])
    found, wanted = (
        function(x, weights, biases, rectified=rectified) for function in (perceptron, one_by_one)
    )
    torch.testing.assert_close(found, wanted)
    upstream = torch.randn_like(found)
    inputs = [x, *weights, *biases]
    torch.testing.assert_close(
        torch.autograd.grad(found, inputs, upstream), torch.autograd.grad(wanted, inputs, upstream)
    )


@given(WIDTHS, st.booleans(), st.data())
def test_rows_without_gradient_are_left_out_and_others_are_not(widths, rectified, data):
    weights, biases = layers(widths)
    for parameter in (*weights, *biases):
        parameter.requires_grad_(False)
    used = data.draw(st.lists(st.booleans(), min_size=1, max_size=12))
    x = rows(len(used), widths[0])
    found = perceptron(x, weights, biases, rectified=rectified)
    upstream = torch.randn_like(found) * torch.tensor(used)[:, None]
    wanted = one_by_one(x, weights, biases, rectified=rectified)
    torch.testing.assert_close(
        torch.autograd.grad(found, x, upstream), torch.autograd.grad(wanted, x, upstream)
    )


@pytest.mark.parametrize("rectified", [False, True])
def test_nothing_that_others_see_is_changed(rectified):
    weights, biases = layers([3, 4, 2])
    x = rows(5, 3)
    before = x.detach().clone()
    found = perceptron(x, weights, biases, rectified=rectified)
    upstream = torch.randn_like(found)
    kept = upstream.clone()
    for _ in range(2):
        torch.autograd.grad(found, [x, *weights], upstream, retain_graph=True)
    assert torch.equal(upstream, kept)
    assert torch.equal(x, before)


def test_only_what_wants_a_gradient_gets_one():
    weights, biases = layers([3, 4, 2])
    weights[0].requires_grad_(False)
    x = rows(5, 3).detach()
    perceptron(x, weights, biases).sum().backward()
    assert weights[0].grad is None
    expected = torch.autograd.grad(one_by_one(x, weights, biases).sum(), [weights[1], *biases])
    torch.testing.assert_close([weights[1].grad, *(b.grad for b in biases)], list(expected))


def test_without_gradients_the_value_is_the_same():
    weights, biases = layers([3, 4, 2])
    x = rows(5, 3)
    with torch.no_grad():
        found = perceptron(x, weights, biases)
    assert not found.requires_grad
    assert torch.equal(found, perceptron(x, weights, biases))


def test_autocast_computes_in_its_type_and_gives_gradients_in_the_parameters_own():
    weights, biases = layers([8, 16, 4], dtype=torch.float32)
    x = rows(5, 8, torch.float32)
    inputs = [x, *weights, *biases]
    with torch.autocast("cpu", torch.bfloat16):
        found = perceptron(x, weights, biases)
    assert found.dtype == torch.bfloat16
    gradients = torch.autograd.grad(found.float().square().sum(), inputs)
    wanted = torch.autograd.grad(one_by_one(x, weights, biases).square().sum(), inputs)
    for gradient, exact in zip(gradients, wanted, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - exact).norm() < 0.03 * exact.norm()


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.booleans(), st.integers(0, 99))
def test_each_task_gets_its_own_gradient(counts, rectified, seed):
    weights, biases = layers([3, 5, 2], seed)
    x = rows(sum(counts), 3)
    shared = [*weights, *biases]
    blocks = [p.new_empty(len(counts), *p.shape) for p in shared]
    with Taskwise(shared, blocks, counts) as mode:
        output = perceptron(x, weights, biases, rectified=rectified)
    below, *unsplit = torch.autograd.grad(output.square().sum(), [x, *shared], allow_unused=True)
    assert all(mode.finish(unsplit))
    wanted = [
        torch.autograd.grad(
            one_by_one(own, weights, biases, rectified=rectified).square().sum(), shared
        )
        for own in x.split(counts)
    ]
    for block, *each in zip(blocks, *wanted, strict=True):
        torch.testing.assert_close(block, torch.stack(each))
    (exact,) = torch.autograd.grad(
        one_by_one(x, weights, biases, rectified=rectified).square().sum(), [x]
    )
    torch.testing.assert_close(below, exact)


def test_layers_of_which_some_are_shared_are_refused():
    weights, biases = layers([3, 5, 2])
    shared = weights[:1]
    blocks = [p.new_empty(2, *p.shape) for p in shared]
    with (
        pytest.raises(UnsuitableObjectiveError, match=r"'perceptron'.*all of them must be shared"),
        Taskwise(shared, blocks, [2, 3]),
    ):
        perceptron(rows(5, 3), weights, biases)
