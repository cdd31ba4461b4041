"""Meta-World as Stable-Baselines3 and multi-task learners need it."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from metaworld.policies import ENV_POLICY_MAP
from numpy.typing import NDArray
from stable_baselines3 import SAC
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor

from robomtl.envs import (
    EnvError,
    InvalidActionError,
    ResetNeededError,
    SimulatorError,
    UnknownNameError,
)
from robomtl.envs.metaworld.names import BENCHMARKS
from robomtl.envs.metaworld.vec_env import MetaWorldVecEnv
from tests.envs.metaworld.alike import assert_alike
from tests.envs.metaworld.stock import set_goal, stock_env

Make = Callable[..., MetaWorldVecEnv]
Draw = Callable[[MetaWorldVecEnv, int], NDArray[np.float32]]
THREE = ("reach-v3", "push-v3", "drawer-close-v3")


def goals_of(env: MetaWorldVecEnv, episodes: int) -> list[tuple[int, ...]]:
    """The goals of the episodes to come, with arms held still."""
    found = []
    for _ in range(episodes):
        found.append(tuple(info["goal"] for info in env.reset_infos))
        for _ in range(env.horizon):
            env.step(np.zeros((env.num_envs, 4), np.float32))
    return found


def test_mt10_has_one_environment_for_each_task_in_meta_worlds_order(make: Make) -> None:
    env = make()
    assert env.tasks == BENCHMARKS["MT10"]
    assert env.num_envs == 10
    assert env.get_attr("name") == list(env.tasks)
    assert env.reset().shape == (10, 49)


@pytest.mark.parametrize("one_hot", [True, False])
def test_observations_are_float32_and_end_with_the_task(
    make: Make, actions: Draw, one_hot: bool
) -> None:
    env = make(*THREE, one_hot=one_hot)
    width = 39 + 3 * one_hot
    for observations in (env.reset(), env.step(actions(env, 0))[0]):
        assert observations.dtype == np.float32
        assert observations.shape == (3, width)
        assert env.observation_space.dtype == np.float32
        assert all(env.observation_space.contains(row) for row in observations)
        np.testing.assert_array_equal(observations[:, 39:], np.eye(3, width - 39))
    assert np.abs(observations[:, 36:39]).min(axis=1).max() > 0, "goals are shown"


@pytest.mark.parametrize("reward", ["v1", "v2"])
def test_steps_are_meta_worlds_with_rewards_as_they_are(
    make: Make, actions: Draw, reward: str
) -> None:
    env = make(*THREE, reward=reward, horizon=30)
    observations = env.reset()
    stock = [stock_env(task, reward) for task in THREE]
    for index, theirs in enumerate(stock):
        goals = env.get_attr("goals", index)[0]
        set_goal(theirs, THREE[index], goals[env.reset_infos[index]["goal"]])
        expected = theirs.reset()[0].astype(np.float32)
        np.testing.assert_array_equal(observations[index, :39], expected)
    for step in range(29):
        drawn = actions(env, step)
        observations, rewards, _, _ = env.step(drawn)
        for index, theirs in enumerate(stock):
            expected, gained, _, _, info = theirs.step(drawn[index])
            np.testing.assert_array_equal(observations[index, :39], expected.astype(np.float32))
            assert rewards[index] == np.float32(gained)
            assert env.success[index] == bool(info["success"])


def test_an_episode_is_truncated_at_the_horizon_and_never_terminated(
    make: Make, actions: Draw
) -> None:
    env = make(*THREE, horizon=5)
    env.reset()
    total = np.zeros(3)
    for step in range(1, 11):
        observations, rewards, dones, infos = env.step(actions(env, step))
        total += rewards
        assert dones.tolist() == [step % 5 == 0] * 3
        if step % 5:
            assert infos == [{}, {}, {}]
            continue
        for index, info in enumerate(infos):
            assert info["TimeLimit.truncated"] is True
            assert info["episode"]["l"] == 5
            assert info["episode"]["r"] == pytest.approx(total[index], rel=1e-5)
            assert info["task"] == THREE[index]
            last = info["terminal_observation"]
            assert last.dtype == np.float32
            # The next episode has begun: its first observation repeats itself as the one before.
            np.testing.assert_array_equal(observations[index, :18], observations[index, 18:36])
            assert not np.array_equal(last[:18], last[18:36])
            np.testing.assert_array_equal(last[39:], np.eye(3)[index])
        total[:] = 0


@pytest.mark.parametrize("stop_at_success", [False, True])
def test_an_action_that_is_held_is_that_action_taken_again(
    make: Make, actions: Draw, stop_at_success: bool
) -> None:
    """Against the same environments, told to take it three times."""
    held = make(*THREE, horizon=120, action_repeat=3, stop_at_success=stop_at_success)
    plain = make(*THREE, horizon=120)
    expert = ENV_POLICY_MAP[THREE[2]]()
    found = held.reset()
    plain.reset()
    alive = np.ones(3, bool)
    for step in range(40):
        drawn = actions(held, step)
        drawn[2] = expert.get_action(found[2, :39])  # done on the way
        total, succeeded = np.zeros(3), np.zeros(3, bool)
        for _ in range(3):
            observations, rewards, dones, infos = plain.step(drawn)
            total += rewards
            succeeded |= plain.success
        found, mean, ended, notes = held.step(drawn)
        np.testing.assert_allclose(mean[alive], total[alive] / 3, rtol=1e-6)
        np.testing.assert_array_equal(held.success[alive], succeeded[alive])
        if step < 39:
            stopped = succeeded & stop_at_success
            np.testing.assert_array_equal(ended[alive], stopped[alive])
            alive &= ~stopped
            np.testing.assert_array_equal(found[alive], observations[alive])
        assert all(
            note["episode"]["l"] == 3 * (step + 1) for note in np.array(notes)[alive & ended]
        )
    assert alive.tolist() == [True, True, not stop_at_success]
    assert ended[alive].all()
    assert dones.all()
    for index in np.flatnonzero(alive):
        for name in ("is_success", "goal"):
            assert notes[index][name] == infos[index][name]
        for name in ("r", "l"):
            assert notes[index]["episode"][name] == pytest.approx(infos[index]["episode"][name])


@pytest.mark.parametrize("repeat", [0, 4])
def test_an_action_is_held_for_a_part_of_the_horizon(make: Make, repeat: int) -> None:
    with pytest.raises(EnvError, match=f"action_repeat.*6; it is {repeat}"):
        make("reach-v3", action_repeat=repeat)


def test_the_longest_horizon_is_not_meta_worlds_500(make: Make) -> None:
    env = make("window-open-v3", horizon=502)
    env.reset()
    dones = [env.step(np.zeros((1, 4), np.float32))[2][0] for _ in range(502)]
    assert dones == [False] * 501 + [True]


@pytest.mark.filterwarnings("ignore:Constant")
def test_an_episode_succeeds_if_the_task_is_done_at_any_step(make: Make) -> None:
    env = make("reach-v3", horizon=200)
    policy = ENV_POLICY_MAP["reach-v3"]()
    observations = env.reset()
    reached, seen = False, []
    for _ in range(200):
        action = [0, 0, 1, 0] if reached else policy.get_action(observations[0, :39])
        observations, _, dones, infos = env.step(np.array([action], np.float32))
        seen.append(bool(env.success[0]))
        reached = reached or seen[-1]
    assert dones[0]
    assert any(seen)
    assert not seen[-1]
    assert infos[0]["is_success"] is True
    assert infos[0]["success"] is False


@pytest.mark.filterwarnings("ignore:Constant")
def test_stopping_at_success_terminates_and_does_not_truncate(make: Make) -> None:
    env = make("reach-v3", horizon=200, stop_at_success=True)
    policy = ENV_POLICY_MAP["reach-v3"]()
    observations, steps, done = env.reset(), 0, False
    while not done:
        steps += 1
        action = policy.get_action(observations[0, :39])
        observations, _, (done,), (info,) = env.step(action[None])
    assert info["is_success"]
    assert info["success"]
    assert info["TimeLimit.truncated"] is False
    assert info["episode"]["l"] == steps < 200


def test_the_seed_fixes_the_goals_of_every_episode(make: Make) -> None:
    first, again, other = make(*THREE, seed=0), make(*THREE, seed=0), make(*THREE, seed=1)
    starts = [env.reset() for env in (first, again, other)]
    np.testing.assert_array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])
    goals = goals_of(first, 6)
    assert goals == goals_of(again, 6)
    assert len({per_task[0] for per_task in goals}) > 1, "they change from episode to episode"
    assert any(len(set(per_task)) > 1 for per_task in goals), "tasks choose on their own"


def test_seeding_starts_the_sequence_of_goals_anew(make: Make) -> None:
    env = make(*THREE, seed=3)
    env.reset()
    first = goals_of(env, 4)
    for seed in (3, 0):
        assert env.seed(seed) == [seed] * 3
        env.reset()
        assert (goals_of(env, 4) == first) is (seed == 3)
    assert env.seed(None) != env.seed(None)


def test_a_tasks_goals_do_not_depend_on_the_other_tasks(make: Make) -> None:
    all_three, two = make(*THREE), make(THREE[2], THREE[0])
    all_three.reset()
    two.reset()
    assert [(c, a) for a, _, c in goals_of(all_three, 5)] == goals_of(two, 5)


def test_one_goal_is_always_the_same_scene(make: Make) -> None:
    env = make(*THREE, goals=1)
    np.testing.assert_array_equal(env.reset(), env.reset())


def test_evaluation_takes_every_goal_once_before_any_again(make: Make) -> None:
    env = make(*THREE, goals=4, horizon=1)
    env.set_goals(env.evaluation_goals(4))
    env.reset()
    assert goals_of(env, 4) == [(k,) * 3 for k in range(4)]
    assert env.evaluation_goals(6).tolist() == [0, 1, 2, 3, 0, 1]


def test_goals_can_be_listed_for_each_task_and_randomness_goes_on_after(make: Make) -> None:
    env, undisturbed = make(*THREE, horizon=1), make(*THREE, horizon=1)
    env.set_goals([[0, 1], [2, 3], [3, 0]])
    env.reset()
    assert goals_of(env, 3) == [(0, 2, 3), (1, 3, 0), (0, 2, 3)]
    env.set_goals(None)
    env.reset()
    undisturbed.reset()
    assert goals_of(env, 5) == goals_of(undisturbed, 5)


@pytest.mark.parametrize("goals", [[4], [-1], [0.5], [[0], [1]], [], 0])
def test_goals_that_there_are_not_are_refused(make: Make, goals: object) -> None:
    with pytest.raises(EnvError, match="goals must be"):
        make(*THREE).set_goals(goals)


def test_an_option_picks_the_goal_of_one_reset(make: Make) -> None:
    env = make(*THREE)
    env.set_options({"goal": 2})
    env.reset()
    assert [info["goal"] for info in env.reset_infos] == [2, 2, 2]
    env.set_options({"gaol": 2})
    with pytest.raises(UnknownNameError, match="valid: goal"):
        env.reset()
    env.set_options({"goal": 4})
    with pytest.raises(UnknownNameError, match="0 to 3"):
        env.reset()


def test_a_run_resumes_with_the_episodes_that_would_have_come(make: Make, actions: Draw) -> None:
    env = make(*THREE, seed=4)
    env.reset()
    goals_of(env, 3)
    state = json.loads(json.dumps(env.state_dict()))
    observations = env.reset()
    resumed = make(*THREE, seed=4)
    resumed.load_state_dict(state)
    np.testing.assert_array_equal(resumed.reset(), observations)
    for step in range(2 * env.horizon):
        drawn = actions(env, step)
        for one, other in zip(env.step(drawn)[:3], resumed.step(drawn)[:3], strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(EnvError, match="drawer-close-v3"):
        make("reach-v3").load_state_dict(state)


def test_an_evaluation_resumes_in_the_middle_of_its_list(make: Make) -> None:
    env = make(*THREE, horizon=1)
    env.set_goals(env.evaluation_goals(4))
    env.reset()
    goals_of(env, 1)
    resumed = make(*THREE, horizon=1)
    resumed.load_state_dict(env.state_dict())
    resumed.reset()
    assert goals_of(resumed, 1) == [(2, 2, 2)]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_action_that_is_not_finite_is_refused_with_task_and_step(
    make: Make, actions: Draw, wrong: float
) -> None:
    env = make(*THREE)
    env.reset()
    env.step(actions(env, 0))
    broken = actions(env, 1)
    broken[1, 2] = wrong
    with pytest.raises(InvalidActionError, match="push-v3 at step 1 "):
        env.step(broken)
    with pytest.raises(InvalidActionError, match=r"shape \(3, 4\)"):
        env.step(broken[:2])


def test_a_reward_that_is_not_finite_stops_with_task_and_step(make: Make, actions: Draw) -> None:
    env = make(*THREE)
    env.reset()
    env.step(actions(env, 0))
    env.set_attr("simulator", Broken(), 2)
    with pytest.raises(SimulatorError, match=r"drawer-close-v3 gave reward nan .* at step 7"):
        env.step(actions(env, 1))


class Broken:
    """A simulator that gives no number."""

    curr_path_length = 7

    def aim(self, action: object) -> None:
        pass

    def simulate(self) -> None:
        pass

    def outcome(self, action: object) -> tuple[object, ...]:
        return np.zeros(39), np.nan, {"success": 0.0}

    def close(self) -> None:
        pass


def test_stepping_before_the_first_reset_says_so(make: Make, actions: Draw) -> None:
    env = make(*THREE)
    with pytest.raises(ResetNeededError, match="reset"):
        env.step(actions(env, 0))


def test_a_step_that_is_under_way_is_finished_or_given_up(make: Make, actions: Draw) -> None:
    env = make(*THREE)
    env.reset()
    env.step_async(actions(env, 0))
    with pytest.raises(ResetNeededError, match=r"under way: call step_wait\(\)"):
        env.step_async(actions(env, 1))
    for ask in (
        lambda: env.get_attr("name"),
        lambda: env.set_attr("note", "mine"),
        lambda: env.env_method("reset", 0),
    ):
        with pytest.raises(EnvError, match="under way"):
            ask()
    env.step_wait()
    with pytest.raises(EnvError, match="no step is under way"):
        env.step_wait()
    env.step(actions(env, 1))


def test_after_a_step_that_broke_off_comes_a_reset(
    make: Make, actions: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, fresh = make(*THREE), make(*THREE)
    env.reset()
    with monkeypatch.context() as patch:
        simulator = env.get_attr("simulator", 1)[0]
        patch.setattr(simulator, "simulate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            env.step(actions(env, 0))
    with pytest.raises(ResetNeededError, match="not finished"):
        env.step(actions(env, 0))
    with pytest.raises(EnvError, match="no step is under way"):
        env.step_wait()
    env.seed(0)
    assert_alike(env, fresh, actions)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_attributes_and_methods_of_single_tasks_can_be_reached(make: Make) -> None:
    env = make(*THREE)
    env.reset()
    assert env.get_attr("render_mode") == [None] * 3
    assert env.get_attr("horizon", [2, 0]) == [6, 6]
    env.set_attr("note", "mine", 1)
    assert env.get_attr("note", 1) == ["mine"]
    assert [o.shape for o in env.env_method("reset", 3, indices=[0, 1])] == [(39,), (39,)]
    assert env.env_is_wrapped(Monitor) == [False] * 3
    with pytest.raises(AttributeError, match="colour"):
        env.get_attr("colour")


def test_stable_baselines_learns_on_it_and_hears_of_success(make: Make) -> None:
    env = make(*THREE, horizon=4)
    model = SAC(
        "MlpPolicy", env, learning_starts=6, batch_size=8, buffer_size=300, seed=0, device="cpu"
    )
    model.learn(36)
    assert len(model.ep_info_buffer) == 9
    assert list(model.ep_success_buffer) == [False] * 9
    assert model.replay_buffer.timeouts[:12].sum() == 9
    assert VecMonitor(env).reset().shape == (3, 42)
