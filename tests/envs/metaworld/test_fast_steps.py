"""Our faster steps and resets are Meta-World's own, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from metaworld.policies import ENV_POLICY_MAP
from metaworld.sawyer_xyz_env import SawyerXYZEnv

from robomtl.envs.metaworld.fast_steps import fast
from robomtl.envs.metaworld.goals import draw_goals
from robomtl.envs.metaworld.names import TASKS, task_class
from tests.envs.metaworld.stock import set_goal, stock_env

# Grasping with forces, contacts through friction, a hinge whose place is the goal's, nothing.
SOME = ("pick-place-v3", "coffee-pull-v3", "door-open-v3", "window-open-v3")


def assert_same_episodes(task: str, reward: str, visuals: bool, steps: int) -> None:
    """Three episodes whose goals change, driven by the expert with noise, and at random."""
    goals = draw_goals([task], 3, 2)[task]
    theirs = stock_env(task, reward)
    ours = fast(task, visuals)(reward_function_version=reward)
    rng = np.random.default_rng(0)
    policy = ENV_POLICY_MAP[task]()
    for episode in range(3):
        for env in (theirs, ours):
            set_goal(env, task, goals[episode % 2])
        expected, _ = theirs.reset()
        np.testing.assert_array_equal(ours.reset()[0], expected)
        for _ in range(steps):
            action = rng.uniform(-1, 1, 4)
            if episode < 2:
                action = np.clip(policy.get_action(expected) + 0.1 * action, -1, 1)
            action = action.astype(np.float32)
            expected, *others = theirs.step(action)
            observation, *results = ours.step(action)
            np.testing.assert_array_equal(observation, expected)
            assert results == others


@pytest.mark.filterwarnings("ignore:Constant")
@pytest.mark.parametrize("task", SOME)
def test_rewards_observations_and_infos_are_meta_worlds(task: str) -> None:
    assert_same_episodes(task, "v2", visuals=False, steps=60)


@pytest.mark.filterwarnings("ignore:Constant")
def test_older_rewards_are_meta_worlds() -> None:
    assert_same_episodes("push-v3", "v1", visuals=True, steps=40)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Constant")
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("reward", ["v1", "v2"])
def test_every_task_is_meta_worlds(task: str, reward: str) -> None:
    assert_same_episodes(task, reward, visuals=False, steps=300)


@pytest.mark.filterwarnings("ignore:Constant")
def test_whether_both_fingers_press_on_something_is_as_in_meta_world() -> None:
    task = "pick-place-v3"
    goal = draw_goals([task], 0, 1)[task][0]
    ours = fast(task)()
    set_goal(ours, task, goal)
    observation, _ = ours.reset()
    policy = ENV_POLICY_MAP[task]()
    found = []
    for _ in range(60):
        observation, *_ = ours.step(policy.get_action(observation))
        found.append(ours.touching_main_object)
        geom = ours._get_id_main_object()
        assert found[-1] == SawyerXYZEnv.touching_object(ours, geom)
    assert {False, True} == set(found)


def test_a_reset_moves_the_hand_home_once_and_not_twice() -> None:
    task = "reach-v3"
    goal = draw_goals([task], 0, 1)[task][0]
    elapsed = {}
    for name, env in (("theirs", stock_env(task)), ("ours", fast(task)())):
        set_goal(env, task, goal)
        moves = []
        move = env.do_simulation
        env.do_simulation = lambda ctrl, n, move=move, env=env, moves=moves: (  # type: ignore[method-assign]
            move(ctrl, n),
            moves.append(env.data.time),
        )
        env.reset()
        elapsed[name] = len({time for time in moves if time > 0}), len(moves)
    assert elapsed["ours"][0] == 50
    assert elapsed["theirs"][1] == 100


def test_meta_worlds_own_classes_stay_as_they_are() -> None:
    original = task_class("reach-v3")
    methods = dict(vars(original))
    fast("reach-v3")()
    assert dict(vars(original)) == methods
    assert not hasattr(original, "place")
