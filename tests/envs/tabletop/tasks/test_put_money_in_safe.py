"""put_money_in_safe is done when the stack has been let go on the named shelf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from robomtl.envs.tabletop.poses import Pose
from robomtl.envs.tabletop.safe import SHELVES

_TASK = "put_money_in_safe"


def _lay(scene: Any, shelf: int) -> None:
    """Lay the stack onto the middle of a shelf."""
    scene.put(scene.task.money, scene.task.safe.pose @ Pose.at((0, 0, SHELVES[shelf] + 0.018)))


@pytest.mark.parametrize("variation", range(3))
def test_only_the_named_shelf_counts(start: Callable[..., Any], variation: int) -> None:
    for shelf in range(3):
        scene = start(_TASK, variation=variation)
        _lay(scene, shelf)
        assert scene.succeeded == (shelf == variation)


@pytest.mark.parametrize("variation", range(3))
def test_money_on_top_of_the_safe_does_not_count(start: Callable[..., Any], variation: int) -> None:
    scene = start(_TASK, variation=variation)
    scene.follow(2)
    scene.arm.actuate_gripper(True)
    assert not scene.succeeded


def test_money_on_the_shelf_that_is_still_held_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    last = scene.task.waypoints()[-1].pose
    scene.follow(4)
    scene.bring(last)
    scene.shift((0, 0, -0.016))
    assert scene.task.zones[0].meets(scene.task.money)
    assert not scene.succeeded


def test_money_in_the_air_over_the_shelf_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.task.money.place(scene.task.safe.pose @ Pose.at((0, 0, SHELVES[0] + 0.04)))
    scene.world.forward()
    assert not scene.succeeded


@pytest.mark.parametrize("variation", range(3))
def test_money_let_go_before_the_shelf_falls_and_fails(
    start: Callable[..., Any], variation: int
) -> None:
    scene = start(_TASK, variation=variation)
    scene.follow(4)
    scene.arm.actuate_gripper(True)
    scene.wait(10)
    assert scene.task.money.pose.position[2] < 0.79, "it lies on the table"
    assert not scene.succeeded
