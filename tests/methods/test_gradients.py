"""Task gradients against plain automatic differentiation, task by task."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from robomtl.methods import OverlappingParametersError, UnsuitableObjectiveError, parameters
from robomtl.methods.gradients import GradientBuffer, GradientMatrix
from robomtl.methods.gram import gram_matrix
from robomtl.methods.objective import shared_parameters, task_parameters
from robomtl.methods.representation import RepresentationGradients

TASKS = ("a", "b", "c")


def accept(losses):
    pass


class Vision(nn.Module):
    """Every kind of layer that is split by task, some of them used twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False)
        self.norm = nn.GroupNorm(2, 8)
        self.embedding = nn.Embedding(5, 8)
        self.linear = nn.Linear(8, 8)
        self.layer_norm = nn.LayerNorm(8)
        self.unused = nn.Linear(2, 2)
        self.heads = nn.ModuleDict({task: nn.Linear(8, 1) for task in TASKS})

    def features(self, images, which):
        x = F.relu(self.conv(images))
        x = self.norm(self.grouped(self.grouped(x)))
        x = x.mean((2, 3)) + self.embedding(which)
        return self.layer_norm(self.linear(F.relu(self.linear(x))))


class Stacked:
    """Three tasks with two, three and one samples, all in one batch."""

    tasks = TASKS
    multi_domain = True
    sizes = (2, 3, 1)

    def __init__(self, network, autocast=False):
        self.network = network
        self.autocast = autocast

    def shared_parameters(self):
        heads = {id(p) for p in self.network.heads.parameters()}
        return [p for p in self.network.parameters() if id(p) not in heads]

    def task_parameters(self, task):
        return list(self.network.heads[task].parameters())

    def counts(self, batch, tasks):
        return [self.sizes[self.tasks.index(task)] for task in tasks]

    def losses(self, batch, tasks):
        images, which, wanted = batch
        ends = torch.tensor(self.sizes).cumsum(0).tolist()
        spans = {t: slice(e - n, e) for t, n, e in zip(self.tasks, self.sizes, ends, strict=True)}
        rows = torch.cat([torch.arange(6)[spans[task]] for task in tasks])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            features = self.network.features(images[rows], which[rows])
        losses, start = [], 0
        for task in tasks:
            end = start + self.sizes[self.tasks.index(task)]
            predicted = self.network.heads[task](features[start:end].to(wanted.dtype))[:, 0]
            losses.append((predicted - wanted[spans[task]]).square().mean())
            start = end
        return losses


class Separate(Stacked):
    """The same, but computed task by task."""

    counts = None


def stacked_batch(dtype):
    return torch.randn(6, 3, 8, 8, dtype=dtype), torch.arange(6) % 5, torch.randn(6, dtype=dtype)


class Dense:
    """Three tasks that look at the same samples."""

    tasks = TASKS
    multi_domain = False

    def __init__(self, network, dropout=0.0):
        self.network = network
        self.dropout = dropout

    shared_parameters = Stacked.shared_parameters
    task_parameters = Stacked.task_parameters

    def losses(self, batch, tasks):
        images, which, wanted = batch
        features = F.dropout(self.network.features(images, which), self.dropout)
        return [(self.network.heads[t](features)[:, 0] - wanted).square().mean() for t in tasks]


class Encoded(Dense):
    """The same, with its shared representation in two parts."""

    def encode(self, batch):
        features = self.network.features(batch[0], batch[1])
        return [features[:, :3], features[:, 3:]]

    def decode(self, representation, batch, task):
        features = torch.cat(list(representation), dim=1)
        return (self.network.heads[task](features)[:, 0] - batch[2]).square().mean()


def expected(objective, batch):
    """Return each task's gradients of shared and of own parameters, by plain backward passes."""
    shared = shared_parameters(objective)
    rows = []
    for task in objective.tasks:
        own = task_parameters(objective, task)
        (loss,) = objective.losses(batch, [task])
        rows.append(torch.autograd.grad(loss, [*shared, *own], allow_unused=True))
    return rows, len(shared)


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


def test_the_gradients_of_some_tasks_can_be_had_alone():
    torch.manual_seed(0)
    network = Vision().double()
    batch = stacked_batch(torch.float64)
    for kind in (Stacked, Separate, Dense):
        objective = kind(network)
        everything = GradientBuffer().compute(objective, batch, accept)
        some = GradientBuffer().compute(objective, batch, accept, ["c", "a"])
        torch.testing.assert_close(some.gram, everything.gram[[2, 0]][:, [2, 0]])


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_joint_and_separate_passes_agree_in_low_precision(autocast):
    torch.manual_seed(0)
    network = Vision()
    batch = stacked_batch(torch.float32)
    joint = GradientBuffer().compute(Stacked(network, autocast), batch, accept)
    separate = GradientBuffer().compute(Separate(network, autocast), batch, accept)
    tolerance = {"rtol": 0.05, "atol": 0.02} if autocast else {"rtol": 1e-4, "atol": 1e-5}
    for a, b in zip(joint.blocks, separate.blocks, strict=True):
        torch.testing.assert_close(a, b, **tolerance)
    assert joint.used == separate.used


def test_a_shared_parameter_that_cannot_be_split_is_an_error_and_not_a_missing_gradient():
    class Scaled(Stacked):
        def losses(self, batch, tasks):
            scale = self.network.layer_norm.weight.sum()
            return [loss * scale for loss in super().losses(batch, tasks)]

    with pytest.raises(UnsuitableObjectiveError, match=r"'sum'.*linear"):
        GradientBuffer().compute(Scaled(Vision()), stacked_batch(torch.float32), accept)


GEOMETRIES = {
    "one pixel": {"kernel_size": 1},
    "one pixel, strided": {"kernel_size": 1, "stride": 2},
    "many channels": {"kernel_size": 3, "padding": 1},
    "strided": {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
    "dilated": {"kernel_size": 3, "padding": 2, "dilation": 2},
    "grouped": {"kernel_size": 3, "groups": 2},
}


@pytest.mark.parametrize("side", [6, 40], ids=["few pixels", "many pixels"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=list(GEOMETRIES))
def test_convolutions_of_any_geometry_are_split_by_task(geometry, layout, side):
    class Convolved(Stacked):
        sizes = (2, 1, 1, 3)
        tasks = ("a", "b", "c", "d")

        def shared_parameters(self):
            return self.network.parameters()

        def task_parameters(self, task):
            return []

        def losses(self, batch, tasks):
            parts = batch.split(self.sizes)
            rows = [parts[self.tasks.index(task)] for task in tasks]
            found = torch.tanh(self.network(torch.cat(rows)))
            return [part.square().mean() for part in found.split([len(part) for part in rows])]

        def counts(self, batch, tasks):
            return [self.sizes[self.tasks.index(task)] for task in tasks]

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 6, 1), nn.Conv2d(6, 8, **geometry)).double()
    network.to(memory_format=layout)
    objective = Convolved(network)
    batch = torch.randn(7, 4, side, side, dtype=torch.float64).to(memory_format=layout)
    rows, _count = expected(objective, batch)
    gradients = GradientBuffer().compute(objective, batch, accept)
    for number, block in enumerate(gradients.blocks):
        torch.testing.assert_close(block, torch.stack([row[number] for row in rows]))


def test_parameters_are_themselves_again_after_an_error():
    class Broken(Stacked):
        def losses(self, batch, tasks):
            super().losses(batch, tasks)
            raise ZeroDivisionError

    network = Vision()
    before = dict(network.named_parameters())
    with pytest.raises(ZeroDivisionError):
        GradientBuffer().compute(Broken(network), stacked_batch(torch.float32), accept)
    assert {type(parameter) for parameter in before.values()} == {nn.Parameter}
    assert GradientBuffer().compute(Stacked(network), stacked_batch(torch.float32), accept).used


def test_a_layer_that_mixes_samples_is_refused():
    class Pooled(Stacked):
        def losses(self, batch, tasks):
            images, _which, _wanted = batch
            x = self.network.linear(self.network.conv(images).mean((0, 2, 3))[None])
            return [x.sum() for _ in tasks]

    gradients = GradientBuffer()
    with pytest.raises(UnsuitableObjectiveError, match="1 rows for 6 samples"):
        gradients.compute(Pooled(Vision()), stacked_batch(torch.float32), accept)


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
