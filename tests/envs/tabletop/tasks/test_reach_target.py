"""reach_target is done when the tip is at the ball of the named colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("distractor", [1, 2])
def test_a_ball_of_another_colour_does_not_count(
    start: Callable[..., Any], down: Callable[..., Any], distractor: int
) -> None:
    scene = start("reach_target")
    scene.bring(down(scene.task.balls[distractor].pose.position))
    assert not scene.succeeded


@pytest.mark.parametrize("offset", [(0.06, 0, 0), (0, -0.06, 0), (0, 0, 0.05), (0, 0, -0.05)])
def test_the_tip_beside_the_ball_fails(
    start: Callable[..., Any], down: Callable[..., Any], offset: tuple[float, float, float]
) -> None:
    scene = start("reach_target")
    scene.bring(down(scene.task.balls[0].pose.position + offset))
    assert not scene.succeeded


@pytest.mark.parametrize("offset", [(0.04, 0, 0), (0, -0.04, 0), (0, 0, 0.03), (0, 0, -0.03)])
def test_the_tip_four_centimetres_from_the_ball_succeeds(
    start: Callable[..., Any], down: Callable[..., Any], offset: tuple[float, float, float]
) -> None:
    scene = start("reach_target")
    scene.bring(down(scene.task.balls[0].pose.position + offset))
    assert scene.succeeded


def test_the_balls_stop_nobody(start: Callable[..., Any], down: Callable[..., Any]) -> None:
    scene = start("reach_target")
    scene.bring(down(scene.task.balls[0].pose.position))
    assert not scene.world.touch_forces.any()
