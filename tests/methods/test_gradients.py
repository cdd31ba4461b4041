"""Task gradients against plain automatic differentiation, task by task."""

import pytest
import torch
from torch import nn

from robomtl.methods import OverlappingParametersError, parameters
from robomtl.methods.gradients import GradientBuffer, GradientMatrix
from robomtl.methods.gram import gram_matrix
from robomtl.methods.objective import shared_parameters
from robomtl.methods.representation import RepresentationGradients
from tests.methods.vision import (
    TASKS,
    Dense,
    Encoded,
    Separate,
    Stacked,
    Vision,
    accept,
    expected,
    stacked_batch,
)


def check(gradients, rows, count, tolerance):
    vector = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    combined = gradients.combine(vector)
    for number, found in enumerate(combined):
        parts = [row[number] for row in rows]
        if all(part is None for part in parts):
            assert found is None
            continue
        sums = sum(c * p for c, p in zip(vector.tolist(), parts, strict=True) if p is not None)
        torch.testing.assert_close(found, sums, **tolerance)
    for own, row in zip(gradients.own_gradients, rows, strict=True):
        for found, part in zip(own, row[count:], strict=True):
            torch.testing.assert_close(found, part, **tolerance)


class EquallyStacked(Stacked):
    """Two samples of each task."""

    sizes = (2, 2, 2)


@pytest.mark.parametrize("kind", [Stacked, EquallyStacked, Separate, Dense])
def test_task_gradients_are_those_of_single_backward_passes(kind):
    torch.manual_seed(0)
    network = Vision().double()
    network.linear.bias.requires_grad_(False)
    objective = kind(network)
    batch = stacked_batch(torch.float64)
    rows, count = expected(objective, batch)
    buffer = GradientBuffer()
    for _ in range(2):  # what is left in the buffer from the first time must not matter
        gradients = buffer.compute(objective, batch, accept)
        check(gradients, rows, count, {"rtol": 1e-10, "atol": 1e-12})
    flat = torch.stack(
        [torch.cat([g.flatten() for g in row[:count] if g is not None]) for row in rows]
    )
    torch.testing.assert_close(gradients.gram, flat @ flat.T, rtol=1e-10, atol=1e-12)
    assert network.linear.bias.grad is None


def channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


def sideways(x):
    return x.mT.contiguous().mT


class Rearranged(Vision):
    """A group norm whose input and whose output's gradient lie in memory as a test says."""

    def __init__(self, before, after):
        super().__init__()
        self.before, self.after = before, after

    def features(self, images, which):
        x = self.after(self.norm(self.before(self.conv(images))))
        return x.square().mean((2, 3))


@pytest.mark.parametrize("before", [torch.Tensor.contiguous, channels_last, sideways])
@pytest.mark.parametrize("after", [torch.Tensor.contiguous, channels_last, sideways])
def test_norms_do_not_care_how_anything_lies_in_memory(before, after):
    torch.manual_seed(0)
    objective = Stacked(Rearranged(before, after).double())
    batch = stacked_batch(torch.float64)
    rows, count = expected(objective, batch)
    gradients = GradientBuffer().compute(objective, batch, accept)
    check(gradients, rows, count, {"rtol": 1e-10, "atol": 1e-12})


def test_the_gradients_of_some_tasks_can_be_had_alone():
    torch.manual_seed(0)
    network = Vision().double()
    batch = stacked_batch(torch.float64)
    for kind in (Stacked, Separate, Dense):
        objective = kind(network)
        everything = GradientBuffer().compute(objective, batch, accept)
        some = GradientBuffer().compute(objective, batch, accept, ["c", "a"])
        torch.testing.assert_close(some.gram, everything.gram[[2, 0]][:, [2, 0]])


def assert_joint_and_separate_passes_agree(*, autocast):
    torch.manual_seed(0)
    network = Vision()
    batch = stacked_batch(torch.float32)
    joint = GradientBuffer().compute(Stacked(network, autocast), batch, accept)
    separate = GradientBuffer().compute(Separate(network, autocast), batch, accept)
    tolerance = {"rtol": 0.05, "atol": 0.02} if autocast else {"rtol": 1e-4, "atol": 1e-5}
    for a, b in zip(joint.blocks, separate.blocks, strict=True):
        torch.testing.assert_close(a, b, **tolerance)
    assert joint.used == separate.used


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_joint_and_separate_passes_agree_in_low_precision(autocast):
    assert_joint_and_separate_passes_agree(autocast=autocast)


def test_norms_may_be_given_more_precision_than_their_input_has(monkeypatch):
    """Off the CPU, autocast widens the input of norms. Here it is made to do so on it."""
    widened = []
    for name in ("native_layer_norm", "native_group_norm"):
        kernel = getattr(torch, name)

        def wide(x, *rest, name=name, kernel=kernel):
            if x.dtype == torch.bfloat16:
                widened.append(name)
            return kernel(x.float(), *rest)

        monkeypatch.setattr(torch, name, wide)
    assert_joint_and_separate_passes_agree(autocast=True)
    assert "native_group_norm" in widened


def test_dropout_is_drawn_once_for_all_tasks_of_one_forward_pass():
    torch.manual_seed(0)
    objective = Dense(Vision().double(), dropout=0.5)
    batch = stacked_batch(torch.float64)
    torch.manual_seed(1)
    gradients = GradientBuffer().compute(objective, batch, accept)
    torch.manual_seed(1)
    losses = objective.losses(batch, TASKS)
    shared = shared_parameters(objective)
    total = torch.autograd.grad(sum(losses), shared, allow_unused=True)
    for found, wanted in zip(gradients.combine(torch.ones(3)), total, strict=True):
        if wanted is not None:
            torch.testing.assert_close(found, wanted)


def test_gradients_of_the_representation_follow_the_chain_rule():
    torch.manual_seed(0)
    objective = Encoded(Vision().double())
    batch = stacked_batch(torch.float64)
    rows, count = expected(objective, batch)
    gradients = RepresentationGradients(objective, batch, accept)
    check(gradients, rows, count, {"rtol": 1e-10, "atol": 1e-12})
    z = objective.encode(batch)
    flat = torch.stack(
        [
            torch.cat(
                [
                    g.flatten()
                    for g in torch.autograd.grad(
                        objective.decode(z, batch, t), z, retain_graph=True
                    )
                ]
            )
            for t in TASKS
        ]
    )
    torch.testing.assert_close(gradients.gram, flat @ flat.T)


def test_a_representation_that_nothing_trained_has_a_say_in_gives_only_tasks_own_gradients():
    torch.manual_seed(0)
    network = Vision().double().requires_grad_(False)
    network.heads.requires_grad_(True)
    gradients = RepresentationGradients(Encoded(network), stacked_batch(torch.float64), accept)
    assert gradients.shared == gradients.combine_for_dot(torch.ones(3)) == []
    own = [[torch.ones_like(p) for p in group] for group in gradients.own]
    wanted = [sum(g.sum().item() for g in group) for group in gradients.own_gradients]
    assert gradients.dot([], own).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("kind", [Dense, Encoded])
def test_inner_products_with_any_direction(kind):
    torch.manual_seed(0)
    objective = kind(Vision().double())
    batch = stacked_batch(torch.float64)
    rows, _count = expected(objective, batch)
    if kind is Encoded:
        gradients = RepresentationGradients(objective, batch, accept)
    else:
        gradients = GradientBuffer().compute(objective, batch, accept)
    shared = [torch.randn_like(p) for p in gradients.shared]
    own = [[torch.randn_like(p) for p in group] for group in gradients.own]
    gradients.combine_for_dot(torch.ones(3, dtype=torch.float64))
    wanted = [
        sum((g * v).sum() for g, v in zip(row, [*shared, *group], strict=True) if g is not None)
        for row, group in zip(rows, own, strict=True)
    ]
    found = gradients.dot(shared, own)
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1.0, 1e12, 1e25])
def test_the_gram_matrix_of_float32_gradients_is_right_over_their_whole_range(scale):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4, 12345, generator=generator) * scale
    blocks = [rows[:, :10000].reshape(4, 100, 100), rows[:, 10000:10003], rows[:, 10003:]]
    exact = rows.double() @ rows.double().T
    assert (gram_matrix(blocks) - exact).norm() < 1e-6 * exact.norm()


def test_the_gram_matrix_is_the_same_where_products_may_be_rounded():
    blocks = [torch.randn(4, 5000, generator=torch.Generator().manual_seed(0))]
    wanted = gram_matrix(blocks)
    try:
        torch.set_float32_matmul_precision("medium")
        assert gram_matrix(blocks).equal(wanted)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_sums_and_inner_products_are_the_same_where_products_may_be_rounded():
    generator = torch.Generator().manual_seed(0)
    block, direction = torch.randn(4, 64, 100, generator=generator), torch.randn(64, 100)
    parameter = nn.Parameter(torch.zeros(64, 100))
    matrix = GradientMatrix(tuple("abcd"), [parameter], [[] for _ in range(4)], [block])
    matrix.own_gradients = [[] for _ in range(4)]
    coefficients = torch.tensor([1.0, -2.0, 0.3, 1e-3], dtype=torch.float64)
    wanted = matrix.combine(coefficients)[0], matrix.dot([direction], matrix.own_gradients)
    try:
        torch.set_float32_matmul_precision("medium")
        found = matrix.combine(coefficients)[0], matrix.dot([direction], matrix.own_gradients)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert all(a.equal(b) for a, b in zip(wanted, found, strict=True))


def test_tied_parameters_count_once_and_misplaced_ones_are_refused():
    network = Vision()
    objective = Stacked(network)
    once = parameters(objective)
    assert len({id(p) for p in once}) == len(once)

    class Tied(Stacked):
        def shared_parameters(self):
            return [*super().shared_parameters(), self.network.linear.weight]

    assert len(parameters(Tied(network))) == len(once)

    class Confused(Stacked):
        def task_parameters(self, task):
            return [*super().task_parameters(task), self.network.heads["a"].weight]

    with pytest.raises(OverlappingParametersError, match=r"\(1, 8\) of task 'b'.*task 'a'"):
        parameters(Confused(network))
