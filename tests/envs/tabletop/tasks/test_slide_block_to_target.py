"""slide_block_to_target is done when the block is on the middle of the square."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from robomtl.envs.tabletop.poses import Pose

_TASK = "slide_block_to_target"


def _put_at(scene: Any, x: float, y: float) -> None:
    """Put the block at metres from the square's centre; the push is along y."""
    scene.put(scene.task.block, scene.task.target.pose @ Pose.at((x, y, 0.0277)), frames=2)


def test_the_expert_brings_the_block_to_the_middle(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.follow()
    apart = scene.task.block.pose.position - scene.task.target.pose.position
    assert np.hypot(*apart[:2]) < 0.01


def test_a_push_that_ends_four_centimetres_short_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    last = scene.task.waypoints()[1].pose
    scene.follow(1)
    scene.bring(Pose(last.position - 0.04 * scene.task.target.pose.rotation[:, 1], last.rotation))
    apart = scene.task.target.pose.inverse().point(scene.task.block.pose.position)
    assert apart[1] == pytest.approx(-0.04, abs=0.005)
    assert not scene.succeeded


def test_a_block_pushed_four_centimetres_past_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    last = scene.task.waypoints()[1].pose
    scene.follow(1)
    scene.bring(Pose(last.position + 0.04 * scene.task.target.pose.rotation[:, 1], last.rotation))
    apart = scene.task.target.pose.inverse().point(scene.task.block.pose.position)
    assert apart[1] == pytest.approx(0.04, abs=0.005)
    assert not scene.succeeded


@pytest.mark.parametrize("offset", [(0.04, 0.0), (-0.04, 0.0), (0.036, 0.036)])
def test_a_block_on_the_edge_of_the_square_fails(
    start: Callable[..., Any], offset: tuple[float, float]
) -> None:
    scene = start(_TASK)
    _put_at(scene, *offset)
    assert not scene.succeeded


@pytest.mark.parametrize("offset", [(0.028, 0.0), (0.0, -0.028), (0.02, 0.02)])
def test_a_block_that_covers_the_middle_succeeds(
    start: Callable[..., Any], offset: tuple[float, float]
) -> None:
    scene = start(_TASK)
    _put_at(scene, *offset)
    assert scene.succeeded


def test_a_block_above_the_square_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.task.block.place(scene.task.target.pose @ Pose.at((0, 0, 0.08)))
    scene.world.forward()
    assert not scene.succeeded


def test_the_block_cannot_be_carried(start: Callable[..., Any], down: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.bring(down(scene.task.block.pose.position + [0, 0, 0.1]))
    scene.bring(down(scene.task.block.pose.position), opened=False)
    assert scene.world.grasped is None
