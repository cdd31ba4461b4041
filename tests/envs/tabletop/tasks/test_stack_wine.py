"""stack_wine is done when the bottle lies in the rack's upper middle cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from robomtl.envs.tabletop.poses import Pose, rotation_about


def _lay(scene: Any, x: float, z: float) -> None:
    """Lay the bottle into the rack, with its foot ahead, at metres from the rack's own frame."""
    lying = rotation_about((1, 0, 0), np.pi / 2)
    scene.put(scene.task.bottle, scene.task.rack.pose @ Pose(np.array([x, 0.1, z]), lying), 20)


def test_the_stacked_bottle_stays_in_the_rack(start: Callable[..., Any]) -> None:
    scene = start("stack_wine")
    scene.follow()
    resting = scene.task.bottle.pose.position
    scene.wait(20)
    assert scene.world.grasped is None
    assert scene.succeeded
    np.testing.assert_allclose(scene.task.bottle.pose.position, resting, atol=1e-3)


def test_the_upper_middle_cell_counts(start: Callable[..., Any]) -> None:
    scene = start("stack_wine")
    _lay(scene, 0.0, 0.125)
    assert scene.succeeded


def test_the_lower_tier_does_not_count(start: Callable[..., Any]) -> None:
    scene = start("stack_wine")
    _lay(scene, 0.0, 0.052)
    assert scene.task.rack.pose.inverse().point(scene.task.bottle.pose.position)[2] > 0.03
    assert not scene.succeeded


@pytest.mark.parametrize("side", [-0.107, 0.107])
def test_a_cell_beside_the_middle_does_not_count(start: Callable[..., Any], side: float) -> None:
    scene = start("stack_wine")
    _lay(scene, side, 0.125)
    assert scene.task.rack.pose.inverse().point(scene.task.bottle.pose.position)[2] > 0.1
    assert not scene.succeeded


def test_a_bottle_let_go_in_front_of_the_rack_fails(start: Callable[..., Any]) -> None:
    scene = start("stack_wine")
    scene.follow(4)
    assert scene.world.grasped is scene.task.bottle
    scene.arm.actuate_gripper(True)
    scene.wait(10)
    assert not scene.succeeded


def test_holding_the_bottle_above_the_rack_fails(start: Callable[..., Any]) -> None:
    scene = start("stack_wine")
    scene.follow(4)
    scene.shift((0, 0, 0.06))
    last = scene.task.waypoints()[4].pose
    scene.bring(Pose(last.position + [0, 0, 0.06], last.rotation))
    assert scene.world.grasped is scene.task.bottle
    assert not scene.succeeded
