"""The losses are what their names say, over the pixels that have a label."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from robomtl.agents.dense.losses import LOSSES
from tests.agents.dense.examples import random_batch

CHANNELS = {"segmentation": 4, "depth": 1, "normals": 3, "noise": 1}
seeds = st.integers(0, 2**31)


def prediction_for(task, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    count, _, height, width = batch.image.shape
    shape = (count, CHANNELS[task], height, width)
    values = torch.randn(shape, generator=generator, dtype=batch.image.dtype)
    return F.normalize(values, dim=1) if task == "normals" else values


def unlabelled(batch):
    return (batch.segmentation < 0)[:, None]


@given(seeds)
def test_pixel_by_pixel_they_are_the_formulas(seed):
    batch = random_batch(seed, count=2, size=3, dtype=torch.float64)
    maps = {task: prediction_for(task, batch, seed) for task in LOSSES}
    terms = {task: [] for task in LOSSES}
    for b, y, x in torch.cartesian_prod(*map(torch.arange, batch.segmentation.shape)).tolist():
        at = {task: values[b, :, y, x] for task, values in maps.items()}
        terms["noise"].append(abs(at["noise"][0] - batch.noise[b, 0, y, x]))
        label = batch.segmentation[b, y, x]
        if label >= 0:
            terms["segmentation"].append(
                at["segmentation"].exp().sum().log() - at["segmentation"][label]
            )
            terms["depth"].append(abs(at["depth"][0] - batch.depth[b, 0, y, x]))
            terms["normals"].append(1 - at["normals"] @ batch.normals[b, :, y, x])
    for task, loss in LOSSES.items():
        torch.testing.assert_close(loss(maps[task], batch), torch.stack(terms[task]).mean())


@pytest.mark.parametrize("task", ["segmentation", "depth", "normals"])
def test_pixels_without_a_label_teach_nothing(task):
    batch = random_batch()
    prediction = prediction_for(task, batch).requires_grad_()
    (gradient,) = torch.autograd.grad(LOSSES[task](prediction, batch), prediction)
    assert unlabelled(batch).any()
    assert (gradient.masked_select(unlabelled(batch)) == 0).all()
    assert (gradient.abs().sum(1, keepdim=True).masked_select(~unlabelled(batch)) > 0).all()


@pytest.mark.parametrize("task", ["segmentation", "depth", "normals"])
def test_a_batch_without_any_label_costs_nothing_and_breaks_nothing(task):
    batch = random_batch()
    nothing = type(batch)(
        image=batch.image,
        segmentation=torch.full_like(batch.segmentation, -1),
        depth=torch.zeros_like(batch.depth),
        normals=torch.zeros_like(batch.normals),
        noise=batch.noise,
    )
    prediction = prediction_for(task, batch).requires_grad_()
    loss = LOSSES[task](prediction, nothing)
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert loss == 0
    assert (gradient == 0).all()


def test_knowing_nothing_about_classes_costs_their_logarithm():
    batch = random_batch()
    logits = torch.zeros(3, 4, 16, 16)
    assert LOSSES["segmentation"](logits, batch) == pytest.approx(math.log(4))


@given(angle=st.floats(0, math.pi), seed=seeds)
def test_the_loss_of_normals_depends_on_the_angle_alone(angle, seed):
    batch = random_batch(seed, dtype=torch.float64)
    across = torch.linalg.cross(batch.normals, prediction_for("normals", batch, seed), dim=1)
    turned = math.cos(angle) * batch.normals + math.sin(angle) * F.normalize(across, dim=1)
    assert LOSSES["normals"](turned, batch) == pytest.approx(1 - math.cos(angle))
