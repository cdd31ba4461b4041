"""pick_up_cup is done when the right cup is held, clear of where it stood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from robomtl.envs.tabletop.poses import Pose


def test_the_cup_of_another_colour_does_not_count(start: Callable[..., Any]) -> None:
    scene = start("pick_up_cup")
    wanted, other = scene.task.cups
    between = other.pose.position - wanted.pose.position
    for waypoint in scene.task.waypoints():
        pose = Pose(waypoint.pose.position + between, waypoint.pose.rotation)
        scene.bring(pose, waypoint.opened)
    assert scene.world.grasped is other
    assert other.pose.position[2] > 1.0
    assert not scene.succeeded


def test_lifting_by_a_centimetre_is_not_enough(start: Callable[..., Any]) -> None:
    scene = start("pick_up_cup")
    scene.follow(2)
    scene.shift((0, 0, 0.01))
    assert scene.world.grasped is scene.task.cups[0]
    assert scene.task.cups[0].pose.position[2] > 0.757
    assert not scene.succeeded


def test_lifting_by_four_centimetres_is_enough(start: Callable[..., Any]) -> None:
    scene = start("pick_up_cup")
    scene.follow(2)
    scene.shift((0, 0, 0.04))
    assert scene.succeeded


def test_a_cup_pushed_away_is_not_picked_up(start: Callable[..., Any]) -> None:
    scene = start("pick_up_cup")
    cup = scene.task.cups[0]
    scene.put(cup, Pose.at(cup.pose.position + [0, 0, 0.001] + np.array([-0.1, 0, 0])))
    assert not scene.task.zone.meets(cup)
    assert not scene.succeeded


def test_a_dropped_cup_is_not_picked_up(start: Callable[..., Any]) -> None:
    scene = start("pick_up_cup")
    scene.follow()
    assert scene.succeeded
    scene.arm.actuate_gripper(True)
    assert not scene.succeeded


def test_a_cup_held_by_its_width_counts_as_held_and_can_be_let_go(
    start: Callable[..., Any],
) -> None:
    """It keeps the fingers nearly as far apart as they go."""
    scene = start("pick_up_cup")
    cup = scene.task.cups[0]
    sideways = Rotation.from_euler("ZYX", [90, 110, 0], degrees=True).as_matrix()
    there = cup.pose.position + [0, 0, 0.05]
    scene.bring(Pose(there - 0.12 * sideways[:, 2], sideways), True)
    scene.bring(Pose(there, sideways), False)
    assert scene.world.fingers.mean() > 0.036
    assert scene.world.grasped is cup
    assert not scene.world.gripper_open
    scene.arm.actuate_gripper(True)
    assert scene.world.grasped is None
    assert scene.world.gripper_open
