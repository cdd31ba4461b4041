"""put_knife_on_chopping_board is done when the knife has been let go on the middle of the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from robomtl.envs.tabletop.poses import Pose, pitch_rotation, yaw_rotation

_TASK = "put_knife_on_chopping_board"
_FLAT = pitch_rotation(-np.pi / 2)


def _lay(scene: Any, x: float, y: float, z: float = 0.03, turn: float = 0.0) -> None:
    """Lay the knife down at metres from the board's middle, its blade along the board at turn 0."""
    pose = Pose(np.array([x, y, z]), yaw_rotation(turn) @ _FLAT)
    scene.put(scene.task.knife, scene.task.board.pose @ pose)


def test_the_knife_comes_to_lie_on_the_board(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.follow()
    scene.wait(20)
    heights = [shape.pose.position[2] for shape in scene.task.knife.shapes]
    np.testing.assert_allclose(heights, scene.task.board.pose.position[2] + 0.023, atol=0.008)
    assert scene.succeeded


def test_the_knife_stands_upright_in_its_block(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    before = scene.task.knife.pose
    scene.wait(20)
    after = scene.task.knife.pose
    np.testing.assert_allclose(after.position, before.position, atol=2e-3)
    assert after.rotation[2, 2] > np.cos(np.radians(5))


def test_a_knife_on_the_board_that_is_still_held_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    last = scene.task.waypoints()[-1].pose
    scene.follow(3)
    scene.bring(last)
    assert scene.task.zone.meets(scene.task.knife)
    assert not scene.succeeded


def test_a_knife_dropped_on_the_way_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.follow(3)
    scene.arm.actuate_gripper(True)
    scene.wait(20)
    assert not scene.succeeded


def test_a_knife_in_the_air_over_the_board_fails(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.task.knife.place(scene.task.board.pose @ Pose(np.array([0, 0, 0.06]), _FLAT))
    scene.world.forward()
    assert not scene.succeeded


@pytest.mark.parametrize("y", [-0.13, 0.13])
def test_a_knife_beside_the_board_fails(start: Callable[..., Any], y: float) -> None:
    scene = start(_TASK)
    _lay(scene, 0.0, y, z=0.012)
    assert not scene.succeeded


@pytest.mark.parametrize("x", [-0.17, 0.17])
def test_a_knife_across_the_end_of_the_board_fails(start: Callable[..., Any], x: float) -> None:
    scene = start(_TASK)
    _lay(scene, x, 0.05, turn=np.pi / 2)
    assert scene.task.knife.pose.position[2] > scene.task.board.pose.position[2] + 0.015
    assert not scene.succeeded


@pytest.mark.parametrize("turn", [0.0, np.pi / 2, np.pi])
def test_a_knife_on_the_middle_of_the_board_succeeds(
    start: Callable[..., Any], turn: float
) -> None:
    scene = start(_TASK)
    _lay(scene, 0.0, 0.0, turn=turn)
    assert scene.succeeded
