"""pick_and_lift is done when the named block is held up at the ball."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from robomtl.envs.tabletop.poses import DOWN, Pose, most_natural


def _lift(scene: Any, number: int) -> None:
    """Take a block, 0 for the right one, and bring it to the ball's middle."""
    block = scene.task.blocks[number].pose
    grasp = most_natural(Pose(block.position, block.rotation @ DOWN), symmetry=4)
    goal = scene.task.goal.pose.position
    scene.bring(Pose(grasp.position + [0, 0, 0.08], grasp.rotation))
    scene.bring(grasp, opened=False)
    scene.bring(Pose(grasp.position + [0, 0, 0.08], grasp.rotation))
    scene.bring(Pose(goal, grasp.rotation))


@pytest.mark.parametrize("number", [1, 2])
def test_a_block_of_another_colour_does_not_count(start: Callable[..., Any], number: int) -> None:
    scene = start("pick_and_lift")
    _lift(scene, number)
    assert scene.world.grasped is scene.task.blocks[number]
    assert scene.task.zone.meets(scene.task.blocks[number])
    assert not scene.succeeded


@pytest.mark.parametrize("offset", [(0, 0, -0.07), (0, 0, 0.06), (0.1, 0, 0), (0, 0.1, 0)])
def test_a_block_held_up_beside_the_ball_fails(
    start: Callable[..., Any], offset: tuple[float, float, float]
) -> None:
    scene = start("pick_and_lift")
    _lift(scene, 0)
    scene.shift(offset)
    assert scene.world.grasped is scene.task.blocks[0]
    assert not scene.succeeded


def test_a_block_held_two_centimetres_below_the_ball_succeeds(start: Callable[..., Any]) -> None:
    scene = start("pick_and_lift")
    _lift(scene, 0)
    scene.shift((0, 0, -0.02))
    assert scene.succeeded


def test_a_dropped_block_fails(start: Callable[..., Any]) -> None:
    scene = start("pick_and_lift")
    scene.follow()
    scene.arm.actuate_gripper(True)
    assert scene.task.blocks[0].pose.position[2] < 0.8, "it lies on the table again"
    assert not scene.succeeded


def test_a_block_at_the_ball_that_nobody_holds_fails(start: Callable[..., Any]) -> None:
    scene = start("pick_and_lift")
    scene.task.blocks[0].place(scene.task.goal.pose)
    scene.world.forward()
    assert not scene.succeeded
