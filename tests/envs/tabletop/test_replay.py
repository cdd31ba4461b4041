"""A state that was kept draws the pictures that were seen when it was."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from robomtl import envs
from robomtl.data import Demo, Observation, find_keyframes

_CAMERAS = ("front", "wrist")


def _make(task: str) -> envs.TabletopEnv:
    return envs.make(task, cameras=_CAMERAS, image_size=48, render_mode="rgb_array")


def _moments(env: envs.TabletopEnv) -> Iterator[tuple[Observation, np.ndarray, np.ndarray]]:
    """What the robot sees, what a person sees and the state: at reset, then after each step."""
    demo = env.collect_demo(0)
    assert demo.attempts == 1
    observation, _ = env.reset(seed=0)
    yield observation, env.render(), demo.states[0]
    for frame in find_keyframes(demo):
        env.film = []
        action = np.append(demo[frame].gripper_pose, demo[frame].gripper_open)
        observation, *_ = env.step(action)
        yield observation, env.render(), env.film[-1]


@pytest.mark.parametrize("task", envs.TASKS)
def test_a_fresh_environment_draws_states_as_they_were_seen(task: str) -> None:
    env = _make(task)
    observations, views, states = zip(*_moments(env), strict=True)
    demo = Demo.from_observations(observations, task=task, variation=0, seed=0, states=states)
    masks = [env.observe(demo, frame, masks=True) for frame in range(len(demo))]
    env.close()

    fresh = _make(task)
    fresh.reset(seed=1, options={"variation": envs.variation_count(task) - 1})
    # The last first: what is held then is not held at reset.
    for frame in reversed(range(len(demo))):
        again = fresh.observe(demo, frame, masks=True)
        for camera in _CAMERAS:
            for kind in ("rgb", "depth", "camera_extrinsics"):
                name = f"{camera}_{kind}"
                where = f"{name} at moment {frame}"
                np.testing.assert_array_equal(again[name], observations[frame][name], where)
            name = f"{camera}_mask"
            np.testing.assert_array_equal(again[name], masks[frame][name], name)
        np.testing.assert_array_equal(fresh.picture(states[frame]), views[frame])
    fresh.close()


def test_a_state_of_another_task_is_refused() -> None:
    demo = envs.make("reach_target", cameras=()).collect_demo(0)
    env = envs.make("pick_and_lift", cameras=())
    env.reset(seed=0)
    with pytest.raises(ValueError, match="belongs to another task"):
        env.picture(demo.states[0])
    renamed = Demo(demo.columns, task="pick_and_lift", variation=0, seed=0, states=demo.states)
    with pytest.raises(ValueError, match="belongs to another task"):
        env.observe(renamed, 0)
