"""push_button is done when the cap has been pushed, and by nothing less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

#: How far the fingertips reach beyond the tip, and the cap's top over the base, in metres.
_FINGERTIP, _CAP = 0.0085, 0.0325


def _press_by(start: Callable[..., Any], down: Callable[..., Any], depth: float) -> Any:
    scene = start("push_button")
    scene.follow(1)
    height = _CAP + _FINGERTIP - depth
    scene.bring(down(scene.task.base.pose.point((0, 0, height))))
    return scene


def test_a_touch_of_two_millimetres_is_no_push(
    start: Callable[..., Any], down: Callable[..., Any]
) -> None:
    scene = _press_by(start, down, 0.001)  # and one more, by which the arm overshoots
    assert 0.0015 < scene.task.cap.travel < 0.003
    assert not scene.succeeded


def test_a_push_of_five_millimetres_is_one(
    start: Callable[..., Any], down: Callable[..., Any]
) -> None:
    assert _press_by(start, down, 0.005).succeeded


def test_pressing_the_base_beside_the_cap_does_nothing(
    start: Callable[..., Any], down: Callable[..., Any]
) -> None:
    scene = start("push_button")
    scene.follow(1)
    base = scene.task.base.pose
    scene.bring(down(base.point((0.042, 0.042, 0.06))))
    scene.bring(down(base.point((0.042, 0.042, 0.024))))
    assert scene.world.touch_forces[[2, 5]].max() > 1
    assert not scene.succeeded


def test_the_cap_springs_back_when_let_go(start: Callable[..., Any]) -> None:
    scene = start("push_button")
    scene.follow()
    scene.shift((0, 0, 0.06))
    scene.wait()
    assert abs(scene.task.cap.travel) < 1e-4
    assert not scene.succeeded


def test_the_cap_stops_at_the_end_of_its_travel(
    start: Callable[..., Any], down: Callable[..., Any]
) -> None:
    scene = _press_by(start, down, 0.02)
    assert scene.task.cap.travel == pytest.approx(0.01, abs=3e-4)


# The first scene drawn for each is so near to the robot that the arm cannot go straight down.
@pytest.mark.parametrize(("variation", "seed"), [(7, 6), (0, 109)])
def test_a_button_that_the_arm_cannot_press_straight_down_is_placed_anew(
    start: Callable[..., Any], variation: int, seed: int
) -> None:
    scene = start("push_button", seed, variation)
    scene.follow(1)
    joints = scene.world.joints.copy()
    scene.follow()
    # A straight press of 6 cm turns no joint far; the way round turned one by 2.2 rad.
    assert abs(scene.world.joints - joints).max() < 0.7
    assert scene.succeeded
