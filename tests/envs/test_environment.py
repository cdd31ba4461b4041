"""An environment is a well-behaved `gymnasium.Env`, the same for the same seed."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robomtl import envs


@pytest.mark.filterwarnings("ignore:.*Box (action|observation) space.*")
def test_gymnasiums_own_checker_passes() -> None:
    env = envs.make("push_button", image_size=32)
    check_env(env, skip_render_check=True)
    env.close()


def test_every_task_is_registered_with_gymnasium() -> None:
    for task in envs.TASKS:
        camel = "".join(word.capitalize() for word in task.split("_"))
        assert gym.spec(f"robomtl/{camel}-v0").kwargs == {"task": task}


def test_a_registered_id_builds_the_task() -> None:
    env = gym.make("robomtl/ReachTarget-v0", cameras=())
    assert env.unwrapped.task.name == "reach_target"
    env.reset(seed=0)


def test_the_experts_keyframes_played_as_actions_solve_the_task() -> None:
    from robomtl.data import find_keyframes

    env = envs.make("pick_and_lift", cameras=())
    demo = env.collect_demo(11)
    env.reset(seed=11)
    for frame in find_keyframes(demo):
        action = np.append(demo[frame].gripper_pose, demo[frame].gripper_open)
        _, reward, terminated, truncated, info = env.step(action)
    assert info["success"]
    assert terminated
    assert not truncated
    assert reward == 1.0


def test_reset_shows_the_scene_that_the_demonstration_starts_from() -> None:
    env = envs.make("reach_target", cameras=("front",), image_size=64)
    demo = env.collect_demo(5)
    assert demo.attempts == 1
    recorded = env.observe(demo, 0)
    observed, _ = env.reset(seed=5)
    for name in recorded:
        np.testing.assert_array_equal(recorded[name], observed[name], err_msg=name)


def test_an_observed_frame_of_a_demo_is_what_the_robot_saw_then() -> None:
    env = envs.make("pick_and_lift", cameras=("wrist",), image_size=64)
    demo = env.collect_demo(2)
    last = env.observe(demo, len(demo) - 1)
    first = env.observe(demo, 0)
    again = env.observe(demo, len(demo) - 1)
    np.testing.assert_array_equal(last["wrist_rgb"], again["wrist_rgb"])
    assert np.abs(first["wrist_rgb"].astype(int) - last["wrist_rgb"]).mean() > 5


def test_a_reset_without_a_seed_draws_the_next_scene_of_the_last_seed() -> None:
    env = envs.make("reach_target", cameras=())

    def scene(seed: int | None = None) -> np.ndarray:
        return env.reset(seed=seed)[0].task_low_dim_state

    first, *others = scene(0), scene(), scene()
    assert not np.array_equal(first, others[0])
    assert not np.array_equal(others[0], others[1])
    np.testing.assert_array_equal([scene(0), scene(), scene()], [first, *others])
    scene(1)
    assert not np.array_equal(scene(), others[0])


def test_an_environments_seed_fixes_the_actions_that_it_samples() -> None:
    env, other = (envs.make("reach_target", cameras=()) for _ in range(2))
    env.action_space.seed(0)
    first = env.action_space.sample()
    env.action_space.seed(0)
    other.action_space.seed(7)
    np.testing.assert_array_equal(env.action_space.sample(), first)


def test_render_shows_the_scene_to_people_in_its_mode_only() -> None:
    env = envs.make("reach_target", cameras=(), render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    assert before is not None
    assert (before.shape, before.dtype) == ((360, 480, 3), np.uint8)
    assert before.std() > 20
    env.reset(seed=1)
    assert not np.array_equal(env.render(), before)
    env.close()
    without = envs.make("reach_target", cameras=())
    without.reset(seed=0)
    assert without.render() is None


def test_an_episode_is_truncated_at_the_step_limit() -> None:
    env = envs.make("pick_and_lift", cameras=(), max_steps=2)
    observation, _ = env.reset(seed=0)
    stay = np.append(observation.gripper_pose, 1.0)
    assert env.step(stay)[2:4] == (False, False)
    assert env.step(stay)[2:4] == (False, True)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.full(8, np.nan), "finite"),
        (np.zeros(7), "8 numbers"),
        (np.array([5.0, 0, 1, 0, 1, 0, 0, 1]), "outside the workspace"),
        (np.array([0.3, 0, 1, 0, 2, 0, 0, 1]), "length 2.000"),
    ],
)
def test_an_invalid_action_fails_the_episode_or_raises_when_strict(
    action: np.ndarray, message: str
) -> None:
    env = envs.make("reach_target", cameras=())
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step(action)
    assert (reward, terminated, info["error"], info["success"]) == (
        0.0,
        True,
        "InvalidActionError",
        False,
    )
    env.strict = True
    env.reset(seed=0)
    with pytest.raises(envs.InvalidActionError, match=message):
        env.step(action)


def test_an_unreachable_pose_fails_the_episode_and_names_the_pose_when_strict() -> None:
    beyond = np.array([0.77, 0.65, 1.75, 0.0, 1.0, 0.0, 0.0, 1.0])
    env = envs.make("reach_target", cameras=())
    env.reset(seed=0)
    assert env.step(beyond)[4]["error"] == "UnreachablePoseError"
    env.strict = True
    env.reset(seed=0)
    with pytest.raises(envs.UnreachablePoseError, match=r"0\.770, 0\.650, 1\.750"):
        env.step(beyond)


@pytest.mark.parametrize(
    ("arguments", "valid"),
    [
        ({"task": "juggle"}, "reach_target"),
        ({"task": "reach_target", "simulator": "gazebo"}, "tabletop"),
        ({"task": "reach_target", "cameras": ("belly",)}, "left_shoulder"),
        ({"task": "reach_target", "variation": 20}, "0 to 19"),
        ({"task": "reach_target", "look": "ugly"}, "pretty"),
        ({"task": "reach_target", "render_mode": "human"}, "rgb_array"),
    ],
)
def test_an_unknown_name_is_answered_with_the_valid_ones(
    arguments: dict[str, object], valid: str
) -> None:
    with pytest.raises(envs.UnknownNameError, match=valid):
        envs.make(**arguments)  # type: ignore[arg-type]


def test_a_missing_gl_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import mujoco

    def broken(width: int, height: int) -> None:
        raise ImportError("Cannot initialize a EGL device display")

    monkeypatch.setattr(mujoco, "GLContext", broken)
    env = envs.make("reach_target", image_size=32)
    with pytest.raises(envs.RenderingError, match="apt-get install libegl1 libgl1-mesa-dri"):
        env.reset(seed=0)


def test_a_demo_of_another_task_is_not_shown() -> None:
    demo = envs.make("reach_target", cameras=()).collect_demo(0)
    with pytest.raises(ValueError, match="reach_target"):
        envs.make("push_button", cameras=()).observe(demo, 0)


def test_a_reset_that_fails_leaves_no_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    env = envs.make("reach_target", cameras=())
    env.reset(seed=0)
    with pytest.raises(envs.UnknownNameError):
        env.reset(seed=1, options={"variation": 10**6})
    with pytest.raises(envs.ResetNeededError):
        env.step(np.array([0.3, 0, 1.1, 0, 1, 0, 0, 1.0]))
    env.close()


def test_steps_need_an_episode() -> None:
    """Before the first one, everything lies at the origin: on its target, too."""
    env = envs.make("slide_block_to_target", cameras=(), render_mode="rgb_array")
    action = np.array([0.3, 0, 1.1, 0, 1, 0, 0, 1.0])
    with pytest.raises(envs.ResetNeededError, match=r"call reset\(\)"):
        env.step(action)
    demo = env.collect_demo(0)
    others = (
        lambda: env.collect_demo(0),
        lambda: env.observe(demo, 0),
        lambda: env.picture(demo.states[0]),
    )
    for other in others:
        env.reset(seed=0)
        env.step(action)
        other()
        with pytest.raises(envs.ResetNeededError):
            env.step(action)
    env.close()
