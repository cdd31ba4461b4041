"""take_umbrella_out_of_umbrella_stand is done when the stand is empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from robomtl.envs.tabletop.poses import Pose, pitch_rotation

_TASK = "take_umbrella_out_of_umbrella_stand"


def test_an_umbrella_that_is_half_out_is_still_in(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.follow(2)
    scene.shift((0, 0, 0.06))
    assert scene.world.grasped is scene.task.umbrella
    assert not scene.succeeded


def test_an_umbrella_let_go_over_the_stand_falls_back_in(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.follow(2)
    scene.shift((0, 0, 0.1))
    assert scene.succeeded
    scene.arm.actuate_gripper(True)
    assert not scene.succeeded


def test_grasping_it_is_not_taking_it_out(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    scene.follow(2)
    assert scene.world.grasped is scene.task.umbrella
    assert not scene.succeeded


def test_an_umbrella_that_lies_beside_the_stand_is_out(start: Callable[..., Any]) -> None:
    scene = start(_TASK)
    beside = scene.task.stand.pose.position + [0, 0.15, 0.03]
    scene.put(scene.task.umbrella, Pose(beside, pitch_rotation(np.pi / 2)))
    assert scene.succeeded
