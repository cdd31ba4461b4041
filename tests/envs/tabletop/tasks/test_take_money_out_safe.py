"""take_money_out_safe is done when the named shelf's stack has been let go on the mat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from robomtl.envs.tabletop.poses import Pose

_TASK = "take_money_out_safe"


def _lay(scene: Any, shelf: int, x: float, y: float) -> None:
    """Lay the stack of a shelf down at metres from the mat's middle."""
    scene.put(scene.task.stacks[shelf], scene.task.mat.pose @ Pose.at((x, y, 0.016)))


@pytest.mark.parametrize("variation", range(3))
def test_only_the_stack_of_the_named_shelf_counts(
    start: Callable[..., Any], variation: int
) -> None:
    for shelf in range(3):
        scene = start(_TASK, variation=variation)
        _lay(scene, shelf, 0.0, 0.0)
        assert scene.succeeded == (shelf == variation)


def test_the_other_stacks_stay_where_they_are(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    before = [stack.pose.position for stack in scene.task.stacks[1:]]
    scene.follow()
    for stack, position in zip(scene.task.stacks[1:], before, strict=True):
        assert stack.pose.position == pytest.approx(position, abs=2e-3)


def test_money_on_the_mat_that_is_still_held_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    last = scene.task.waypoints()[-1].pose
    scene.follow(3)
    scene.bring(Pose(last.position - [0, 0, 0.008], last.rotation))
    assert scene.task.zone.meets(scene.task.stacks[0])
    assert not scene.succeeded


def test_money_in_the_air_over_the_mat_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.task.stacks[0].place(scene.task.mat.pose @ Pose.at((0, 0, 0.04)))
    scene.world.forward()
    assert not scene.succeeded


def test_money_dropped_in_front_of_the_safe_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.follow(3)
    scene.arm.actuate_gripper(True)
    assert scene.task.stacks[0].pose.position[2] < 0.78, "it lies on the table"
    assert not scene.succeeded


@pytest.mark.parametrize(("x", "y"), [(-0.175, 0.0), (0.0, 0.172)])
def test_money_beside_the_mat_fails(start: Callable[..., Any], x: float, y: float) -> None:
    scene = start(_TASK)
    _lay(scene, 0, x, y)
    assert not scene.succeeded


@pytest.mark.parametrize(("x", "y"), [(-0.16, 0.0), (0.0, 0.16)])
def test_money_on_the_edge_of_the_mat_succeeds(
    start: Callable[..., Any], x: float, y: float
) -> None:
    scene = start(_TASK)
    _lay(scene, 0, x, y)
    assert scene.succeeded
