"""Labels of rendered scenes say what is there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robomtl import envs
from robomtl.data.scenes import CLASSES
from robomtl.envs.tabletop.dense import FIELD_OF_VIEW, DenseRenderer, View
from robomtl.envs.tabletop.normals import normals_from_depth
from robomtl.envs.tabletop.room import TABLE_TOP

_SIZE = 48


@pytest.fixture(scope="module")
def balls() -> Iterator[DenseRenderer]:
    renderer = DenseRenderer("reach_target", _SIZE)
    yield renderer
    renderer.close()


def rays(size: int) -> np.ndarray:
    """(S, S, 3) directions of the pixels' rays, of depth 1, in RLBench's camera frame."""
    focal = size / (2 * np.tan(np.radians(FIELD_OF_VIEW) / 2))
    offset = (np.arange(size) - (size - 1) / 2) / focal
    left, up = np.meshgrid(-offset, -offset)
    return np.stack([left, up, np.ones_like(left)], axis=-1)


def world_points(view: View) -> np.ndarray:
    """(S, S, 3) what each pixel shows, in the world."""
    local = rays(len(view.depth)) * view.depth[..., None]
    return local @ view.camera[:3, :3].T + view.camera[:3, 3]


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N,) angles in degrees between unit vectors (N, 3)."""
    return np.degrees(np.arccos(np.clip((first * second).sum(-1), -1, 1)))


def same(first: View, second: View) -> bool:
    names = ("rgb", "segmentation", "depth", "normals", "camera")
    return all(np.array_equal(getattr(first, n), getattr(second, n)) for n in names)


def test_equal_seeds_give_equal_bits_in_any_order_and_any_renderer(balls: DenseRenderer) -> None:
    scenes = [(0, 0), (3, 1), (3, 2), (17, 1)]
    forwards = [balls.render(*scene) for scene in scenes]
    backwards = [balls.render(*scene) for scene in reversed(scenes)][::-1]
    fresh = DenseRenderer("reach_target", _SIZE)
    try:
        anew = fresh.render(*scenes[2])
    finally:
        fresh.close()
    assert all(map(same, forwards, backwards))
    assert same(forwards[2], anew)
    assert not any(same(forwards[0], other) for other in forwards[1:])


@pytest.mark.parametrize("task", envs.TASKS)
def test_every_pixel_has_all_its_labels_or_shows_nothing(task: str) -> None:
    renderer = DenseRenderer(task, _SIZE)
    try:
        views = [renderer.render(0, seed) for seed in range(4)]
    finally:
        renderer.close()
    for view in views:
        assert view.rgb.shape == view.normals.shape == (_SIZE, _SIZE, 3)
        seen = view.depth > 0
        np.testing.assert_array_equal(seen, view.segmentation >= 0)
        assert view.depth[seen].min() > 0.2
        length = np.linalg.norm(view.normals, axis=-1)
        known = length > 0
        assert not known[~seen].any()
        # Only what is thinner than three of the finer pixels has no normal.
        assert known[seen].mean() > 0.9
        np.testing.assert_allclose(length[known], 1, atol=1e-5)
        assert ((view.normals * rays(_SIZE)).sum(-1)[known] < 1e-6).all()
        assert view.camera[2, 3] > TABLE_TOP
    shown = {
        CLASSES[label] for view in views for label in np.unique(view.segmentation) if label > 0
    }
    assert "table" in shown
    assert shown - {"table", "arm", "gripper"}, "nothing of the task can be seen"


def test_labels_of_the_table_are_its_plane(balls: DenseRenderer) -> None:
    for seed in range(8):
        view = balls.render(0, seed)
        points = world_points(view)
        top = (view.segmentation == CLASSES.index("table")) & (view.normals.any(-1))
        top &= np.abs(points[..., 2] - TABLE_TOP) < 1e-3
        assert top.sum() > 50
        upwards = view.normals[top] @ view.camera[:3, :3].T
        # Its rim is seen next to it.
        assert np.quantile(angles(upwards, np.array([0.0, 0.0, 1.0])), 0.98) < 0.2


def test_depth_normals_and_class_of_a_sphere_agree(balls: DenseRenderer) -> None:
    errors = []
    for seed in range(12):
        view = balls.render(0, seed)
        centres = np.array([ball.pose.position for ball in balls.task.balls])  # type: ignore[attr-defined]
        points = world_points(view)
        outwards = points[..., None, :] - centres
        distance = np.linalg.norm(outwards, axis=-1)
        nearest = distance.argmin(-1)
        at_ball = view.segmentation == CLASSES.index("ball")
        # MuJoCo draws a sphere as a polyhedron inside it.
        assert np.abs(distance.min(-1)[at_ball] - 0.025).max(initial=0) < 1.5e-3
        assert not (distance.min(-1)[(view.segmentation >= 0) & ~at_ball] < 0.022).any()
        known = at_ball & view.normals.any(-1)
        radial = np.take_along_axis(outwards, nearest[..., None, None], axis=-2)[..., 0, :]
        radial = radial[known] / np.linalg.norm(radial[known], axis=-1, keepdims=True)
        errors.append(angles(view.normals[known] @ view.camera[:3, :3].T, radial))
    error = np.concatenate(errors)
    assert len(error) > 100
    assert np.median(error) < 10


def test_what_is_translucent_for_people_hides_what_is_behind_it() -> None:
    renderer = DenseRenderer("pick_and_lift", _SIZE)
    seen = 0
    try:
        for seed in range(12):
            view = renderer.render(0, seed)
            goal = view.segmentation == CLASSES.index("marker")
            distance = world_points(view)[goal] - renderer.world.bodies["goal"].pose.position
            np.testing.assert_allclose(np.linalg.norm(distance, axis=-1), 0.04, atol=2e-3)
            seen += int(goal.sum())
    finally:
        renderer.close()
    assert seen > 50


def test_names_that_do_not_exist_are_named_with_those_that_do(balls: DenseRenderer) -> None:
    with pytest.raises(envs.UnknownNameError, match="push_button"):
        DenseRenderer("press_button", _SIZE)
    with pytest.raises(envs.UnknownNameError, match="0 to 19"):
        balls.render(20, 0)


def plane_depth(normal: np.ndarray, distance: float, size: int, focal: float) -> np.ndarray:
    """(S, S) depth of the plane n . p = -distance; infinite behind the camera."""
    offset = (np.arange(size) - (size - 1) / 2) / focal
    left, up = np.meshgrid(-offset, -offset)
    facing = -(np.stack([left, up, np.ones_like(left)], axis=-1) @ normal)
    return np.where(facing > 1e-3, distance / np.maximum(facing, 1e-3), np.inf)


unit = st.tuples(*[st.floats(-1, 1)] * 2).map(
    lambda xy: np.array([*xy, -1.0]) / np.linalg.norm([*xy, -1.0])
)


@given(normal=unit, distance=st.floats(0.2, 5), focal=st.floats(20, 100))
def test_normals_of_planes_are_exact(normal: np.ndarray, distance: float, focal: float) -> None:
    depth = plane_depth(normal, distance, 12, focal)
    thing = np.where(np.isfinite(depth), 0, -1)
    found = normals_from_depth(depth, thing, focal)
    if (thing == 0).all():
        np.testing.assert_allclose(found, np.broadcast_to(normal, found.shape), atol=1e-6)
    np.testing.assert_array_equal(found[thing < 0], 0)


@given(left=unit, right=unit)
def test_a_crease_between_faces_of_one_thing_blurs_neither(
    left: np.ndarray, right: np.ndarray
) -> None:
    size, focal = 24, 40.0
    depths = [plane_depth(normal, 1.0, size, focal) for normal in (left, right)]
    nearer = np.argmin(depths, axis=0)
    depth = np.minimum(*depths)
    found = normals_from_depth(depth, np.where(np.isfinite(depth), 0, -1), focal)
    right_ones = [np.abs(found - normal).max(-1) < 1e-5 for normal in (left, right)]
    exact = np.where(nearer == 0, *right_ones)
    # The crease itself is part of both faces, and what is less than three pixels across cannot be
    # told from it.
    wide = np.abs(depths[0] - depths[1]) > 1e-9
    for axis in (0, 1):
        run = _run_lengths(nearer, axis)
        wide &= run >= 3
    assert exact[wide].all()


def _run_lengths(values: np.ndarray, axis: int) -> np.ndarray:
    """How long the run of equal values is that each pixel is part of, along an axis."""
    lengths = np.zeros(values.shape, int)
    for index, row in enumerate(np.moveaxis(values, axis, -1)):
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        runs = np.diff([*starts, len(row)])
        np.moveaxis(lengths, axis, -1)[index] = np.repeat(runs, runs)
    return lengths


def test_nothing_and_what_is_thinner_than_three_pixels_has_no_normal() -> None:
    depth = np.full((9, 9), 2.0)
    thing = np.full((9, 9), -1)
    thing[:, 4:6] = 0
    thing[0:3, 0:3] = 1
    known = normals_from_depth(depth, thing, 10.0).any(-1)
    expected = np.zeros((9, 9), bool)
    expected[0:3, 0:3] = True
    np.testing.assert_array_equal(known, expected)
