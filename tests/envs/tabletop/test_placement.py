"""Things are put where there is room for them: in the workspace, and beside each other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robomtl import envs
from robomtl.envs.tabletop.placement import place_base, scatter

#: RLBench's workspace on the table, in metres.
_LOW, _HIGH, _HEIGHT = np.array([-0.075, -0.455]), np.array([0.575, 0.455]), 0.752
_ROUNDING = 1e-9
#: How far, in metres, things may reach into each other when they are put down.
_DEEPEST = 0.003

_SEEDS = st.integers(0, 10**6)
_PLACES = st.floats(-0.3, 0.3)
_TURNS = st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(
    lambda turns: sorted(turn + 0.0 for turn in turns)  # numpy takes 0 to -0 for a range reversed
)


def _footprint(x: float, y: float, width: float, depth: float) -> tuple[float, ...]:
    return x, x + width, y, y + depth


# They fit however they are turned, or are so long that they fit across the table only.
_COMPACT = st.builds(_footprint, _PLACES, _PLACES, st.floats(0, 0.45), st.floats(0, 0.45))
_LONG = st.builds(_footprint, _PLACES, _PLACES, st.floats(0.7, 0.85), st.floats(0, 0.1))
_TOO_LARGE = st.builds(_footprint, _PLACES, _PLACES, st.floats(0.66, 2), st.floats(0.66, 2))


def _corners(footprint: tuple[float, ...]) -> list[tuple[float, float, float]]:
    return [(x, y, 0.0) for x, y in product(footprint[:2], footprint[2:])]


@given(_SEEDS, _COMPACT, _TURNS)
def test_a_turned_footprint_lies_in_the_workspace(
    seed: int, footprint: tuple[float, ...], yaw: tuple[float, float]
) -> None:
    base = place_base(np.random.default_rng(seed), footprint, yaw)
    corners = np.array([base.point(corner) for corner in _corners(footprint)])
    assert np.all(corners[:, :2] >= _LOW - _ROUNDING)
    assert np.all(corners[:, :2] <= _HIGH + _ROUNDING)
    np.testing.assert_allclose(corners[:, 2], _HEIGHT)
    assert yaw[0] - _ROUNDING <= base.yaw <= yaw[1] + _ROUNDING


@given(_SEEDS, _LONG)
def test_a_footprint_that_fits_across_only_is_turned(
    seed: int, footprint: tuple[float, ...]
) -> None:
    base = place_base(np.random.default_rng(seed), footprint)
    corners = np.array([base.point(corner) for corner in _corners(footprint)])
    assert np.all(corners[:, :2] >= _LOW - _ROUNDING)
    assert np.all(corners[:, :2] <= _HIGH + _ROUNDING)


@settings(max_examples=20)
@given(_SEEDS, _TOO_LARGE)
def test_a_footprint_larger_than_the_workspace_is_an_error(
    seed: int, footprint: tuple[float, ...]
) -> None:
    with pytest.raises(envs.PlacementError, match="does not fit into the workspace"):
        place_base(np.random.default_rng(seed), footprint)


def test_a_base_may_be_anywhere_and_anyhow_turned() -> None:
    rng = np.random.default_rng(0)
    bases = [place_base(rng, (-0.05, 0.05, -0.05, 0.05)) for _ in range(500)]
    places = np.array([base.position[:2] for base in bases])
    # However it is turned, the base is as far from the border as its nearest side at least.
    assert np.all(places.min(axis=0) < _LOW + 0.08)
    assert np.all(places.max(axis=0) > _HIGH - 0.08)
    turns = np.histogram([base.yaw for base in bases], 4, (-np.pi, np.pi))[0]
    assert turns.min() > 90


_BOXES = st.lists(st.floats(0.1, 0.5), min_size=2, max_size=3).map(tuple)


@given(_SEEDS, st.integers(1, 4), _BOXES, st.floats(0, 0.6))
def test_scattered_points_keep_apart_in_their_box(
    seed: int, count: int, half_size: tuple[float, ...], share: float
) -> None:
    separation = share * min(half_size)
    points = scatter(np.random.default_rng(seed), count, half_size, separation)
    assert points.shape == (count, len(half_size))
    assert np.all(np.abs(points) <= half_size)
    for i, j in product(range(count), repeat=2):
        assert i == j or np.linalg.norm(points[i] - points[j]) >= separation


@settings(max_examples=20)
@given(_SEEDS, st.integers(2, 6), _BOXES)
def test_points_that_cannot_keep_apart_are_an_error(
    seed: int, count: int, half_size: tuple[float, ...]
) -> None:
    diagonal = 2 * float(np.linalg.norm(half_size))
    with pytest.raises(envs.PlacementError, match=f"{count} points .* do not fit"):
        scatter(np.random.default_rng(seed), count, half_size, 1.01 * diagonal)


def test_scattered_points_fill_their_box() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([scatter(rng, 2, (0.2, 0.4), 0.1) for _ in range(250)])
    assert np.all(points.min(axis=0) < (-0.19, -0.38))
    assert np.all(points.max(axis=0) > (0.19, 0.38))
    assert np.all(np.abs(points.mean(axis=0)) < (0.02, 0.04))


@pytest.mark.parametrize("task", envs.TASKS)
def test_nothing_movable_is_put_into_something_else(start: Callable[..., Any], task: str) -> None:
    scene = start(task)
    model, data, things = scene.world.model, scene.world.data, scene.world.bodies.values()
    free = {thing.id for thing in things if model.body_dofnum[thing.id] == 6}
    # A scene in which something touches the robot is drawn anew.
    known = {model.body("table").id, *(thing.id for thing in things)}
    rng = np.random.default_rng(0)
    for number in range(40):
        scene.world.home()
        scene.task.randomise(rng, number % scene.task.variations)
        scene.world.forward()
        for contact in data.contact:
            touching = {int(model.geom_bodyid[geom]) for geom in contact.geom}
            names = " and ".join(model.body(body).name for body in touching)
            if touching & free and touching <= known:
                # Of two boxes, the contacts of MuJoCo 3.3.0 say half of it.
                distance = mujoco.mj_geomDistance(model, data, *contact.geom, 0.01, None)
                assert distance > -_DEEPEST, f"{names} in scene {number}"
