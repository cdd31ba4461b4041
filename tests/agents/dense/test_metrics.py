"""Metrics against closed forms, plain counting, and the tables of the papers."""

import math
from dataclasses import fields

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from robomtl.agents.dense import (
    METRICS,
    TASKS,
    DenseBatch,
    DenseMetrics,
    delta_mtl,
    relative_improvement,
)
from tests.agents.dense.examples import random_batch

seeds = st.integers(0, 2**31)


def one_hot(labels, classes):
    """Logits whose largest is that of the label."""
    return F.one_hot(labels, classes).movedim(-1, 1).float()


def measure(task, prediction, batch, classes=4):
    metrics = DenseMetrics((task,), classes)
    metrics.add({task: prediction}, batch)
    return metrics.values()[task]


@given(seeds, st.integers(1, 6))
def test_intersection_over_union_is_that_of_pixel_sets(seed, used):
    batch = random_batch(seed, size=4, classes=used)
    generator = torch.Generator().manual_seed(seed)
    guess = torch.randint(0, used, batch.segmentation.shape, generator=generator)
    label, found = (
        [{*map(tuple, ((t == c) & (batch.segmentation >= 0)).nonzero().tolist())} for c in range(6)]
        for t in (batch.segmentation, guess)
    )
    # Classes that are nowhere in labels or predictions say nothing.
    ratios = [len(a & b) / len(a | b) for a, b in zip(label, found, strict=True) if a | b]
    right = sum(len(a & b) for a, b in zip(label, found, strict=True))
    values = measure("segmentation", one_hot(guess, 6), batch, classes=6)
    assert values["mean_iou"] == pytest.approx(np.mean(ratios))
    assert values["pixel_accuracy"] == pytest.approx(right / sum(map(len, label)))


@given(error=st.floats(-0.4, 4), seed=seeds)
def test_depth_that_is_off_by_a_length_or_by_a_factor(error, seed):
    batch = random_batch(seed)
    assert measure("depth", batch.depth + error, batch)["absolute_error"] == pytest.approx(
        abs(error), abs=1e-6
    )
    scaled = measure("depth", batch.depth * (1 + error), batch)
    assert scaled["relative_error"] == pytest.approx(abs(error), abs=1e-6)


@given(angle=st.floats(0, 180), seed=seeds)
def test_normals_that_are_turned_by_an_angle(angle, seed):
    batch = random_batch(seed, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    other = torch.randn(batch.normals.shape, generator=generator, dtype=torch.float64)
    across = F.normalize(torch.linalg.cross(batch.normals, other, dim=1), dim=1)
    radians = math.radians(angle)
    turned = math.cos(radians) * batch.normals + math.sin(radians) * across
    values = measure("normals", turned, batch)
    assert values["mean_angle"] == pytest.approx(angle, abs=1e-6)
    assert values["median_angle"] == pytest.approx(angle, abs=1e-6)
    for limit in (11.25, 22.5, 30.0):
        if abs(angle - limit) > 1e-6:
            assert values[f"within_{limit:g}"] == (angle < limit)


def test_mean_and_median_angle_differ_where_errors_do():
    batch = random_batch(size=1, count=4)
    up = torch.tensor([0.0, 0.0, 1.0]).expand(4, 3)[..., None, None]
    turns = [math.radians(a) for a in (0, 10, 20, 90)]
    tilted = torch.tensor([[math.sin(t), 0, math.cos(t)] for t in turns])[..., None, None]
    batch = type(batch)(**{**vars(batch), "normals": up.clone()})
    values = measure("normals", tilted, batch)
    assert values["mean_angle"] == pytest.approx(30, abs=1e-4)
    assert values["median_angle"] == pytest.approx(15, abs=1e-4)
    assert [values[f"within_{limit}"] for limit in ("11.25", "22.5", "30")] == [0.5, 0.75, 0.75]


def test_how_images_are_batched_makes_no_difference():
    batches = [random_batch(seed, count=count) for seed, count in enumerate((1, 4, 2))]
    generator = torch.Generator().manual_seed(0)
    channels = {"segmentation": 4, "depth": 1, "normals": 3, "noise": 1}
    guesses = [
        {t: torch.rand(len(b.image), n, 16, 16, generator=generator) for t, n in channels.items()}
        for b in batches
    ]
    apart, together = DenseMetrics(TASKS, 4), DenseMetrics(TASKS, 4)
    for guess, batch in zip(guesses, batches, strict=True):
        apart.add(guess, batch)
    joined = {name: torch.cat([getattr(b, name) for b in batches]) for name in vars(batches[0])}
    all_guesses = {task: torch.cat([g[task] for g in guesses]) for task in TASKS}
    together.add(all_guesses, type(batches[0])(**joined))
    assert {task: list(values) for task, values in apart.values().items()} == {
        task: list(METRICS[task]) for task in TASKS
    }
    for task, values in apart.values().items():
        assert values == pytest.approx(together.values()[task])


class Single(torch.Tensor):
    """A tensor of a device that knows no float64, until it comes to the CPU."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function in (torch.Tensor.cpu, torch.Tensor.to):
            return args[0].as_subclass(torch.Tensor)
        assert function is not torch.Tensor.double, "there is no float64 on this device"
        return super().__torch_function__(function, types, args, kwargs or {})


def test_metrics_need_no_double_precision_of_the_device():
    batch = random_batch()
    maps = {
        "segmentation": one_hot(batch.segmentation.clamp(min=0), 4),
        "depth": batch.depth + 1,
        "normals": batch.normals,
        "noise": batch.noise,
    }
    elsewhere = DenseBatch(
        **{f.name: getattr(batch, f.name).as_subclass(Single) for f in fields(batch)}
    )
    for task, prediction in maps.items():
        found = measure(task, prediction.as_subclass(Single), elsewhere)
        assert found == pytest.approx(measure(task, prediction, batch), nan_ok=True)


def test_pixels_without_a_label_do_not_count():
    batch = random_batch()
    unknown = (batch.segmentation < 0)[:, None]
    perfect = {
        "segmentation": one_hot(batch.segmentation.clamp(min=0), 4),
        "depth": batch.depth.masked_fill(unknown, 99),
        "normals": batch.normals.masked_fill(unknown, -1),
    }
    assert measure("segmentation", perfect["segmentation"], batch) == {
        "mean_iou": 1,
        "pixel_accuracy": 1,
    }
    assert measure("depth", perfect["depth"], batch) == {"absolute_error": 0, "relative_error": 0}
    assert measure("normals", perfect["normals"], batch)["mean_angle"] == pytest.approx(0, abs=1e-3)


def test_without_any_label_nothing_is_known():
    nothing = DenseMetrics(TASKS, 4).values()
    assert all(math.isnan(value) for values in nothing.values() for value in values.values())


def table(iou, accuracy, absolute, relative, mean, median, *within):
    return {
        "segmentation": {"mean_iou": iou, "pixel_accuracy": accuracy},
        "depth": {"absolute_error": absolute, "relative_error": relative},
        "normals": {
            "mean_angle": mean,
            "median_angle": median,
            **dict(zip(("within_11.25", "within_22.5", "within_30"), within, strict=True)),
        },
    }


THREE = ("segmentation", "depth", "normals")


def test_it_is_the_relative_improvement_of_saals_table_1():
    alone = table(38.05, 57.44, 60.64, 24.81, 22.32, 15.41, 41.00, 66.15, 74.95)
    equal = table(39.21, 59.52, 50.67, 20.68, 22.48, 15.43, 40.85, 65.64, 74.46)
    uncertainty = table(40.97, 58.18, 49.39, 19.62, 23.70, 16.02, 38.23, 62.90, 72.37)
    for values, expected, mean in (
        (equal, (3.33, 16.53, -0.54), 6.44),
        (uncertainty, (4.47, 19.74, -5.06), 6.39),
    ):
        for task, percent in zip(THREE, expected, strict=True):
            found = 100 * relative_improvement(task, values[task], alone[task])
            assert found == pytest.approx(percent, abs=0.02)
        assert 100 * delta_mtl(values, alone, THREE) == pytest.approx(mean, abs=0.02)


def test_with_first_metrics_it_is_the_delta_of_auto_lambdas_table_1():
    def first(iou, absolute, mean):
        return {
            "segmentation": {"mean_iou": iou},
            "depth": {"absolute_error": absolute},
            "normals": {"mean_angle": mean},
        }

    alone = first(43.37, 52.24, 22.40)
    for values, percent in (((44.64, 43.32, 24.48), 3.57), ((47.17, 40.97, 23.68), 8.21)):
        delta = delta_mtl(first(*values), alone, THREE, which="first")
        assert 100 * delta == pytest.approx(percent, abs=0.01)


def test_nothing_can_be_said_relative_to_a_baseline_of_zero():
    assert math.isnan(
        relative_improvement("noise", {"absolute_error": 0.2}, {"absolute_error": 0.0})
    )
