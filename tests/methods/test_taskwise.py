"""Layers that split their gradients by task, and what cannot be split."""

import pytest
import torch
from torch import nn

from robomtl.methods import UnsuitableObjectiveError
from robomtl.methods.gradients import GradientBuffer
from tests.methods.vision import Stacked, Vision, accept, expected, stacked_batch


def test_a_shared_parameter_that_cannot_be_split_is_an_error_and_not_a_missing_gradient():
    class Scaled(Stacked):
        def losses(self, batch, tasks):
            scale = self.network.layer_norm.weight.sum()
            return [loss * scale for loss in super().losses(batch, tasks)]

    with pytest.raises(UnsuitableObjectiveError, match=r"'sum'.*linear"):
        GradientBuffer().compute(Scaled(Vision()), stacked_batch(torch.float32), accept)


class Squared(torch.autograd.Function):
    """An operation that takes its inputs as they are, so nobody hears of it."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx, upstream):
        return 2 * ctx.saved_tensors[0] * upstream


def by_an_own_operation(network):
    return Squared.apply(network.tokens)


def as_a_layers_input(network):
    return network.linear(network.tokens)


@pytest.mark.parametrize("use", [by_an_own_operation, as_a_layers_input])
def test_a_shared_parameter_that_is_used_unseen_is_an_error_too(use):
    class Scaled(Stacked):
        def losses(self, batch, tasks):
            scale = use(self.network).sum()
            return [loss * scale for loss in super().losses(batch, tasks)]

    network = Vision()
    network.tokens = nn.Parameter(torch.randn(6, 8))
    with pytest.raises(UnsuitableObjectiveError, match=r"shape \(6, 8\).*without `counts`"):
        GradientBuffer().compute(Scaled(network), stacked_batch(torch.float32), accept)


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
