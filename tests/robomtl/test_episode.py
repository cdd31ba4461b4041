import numpy as np
import pytest
import torch

from robomtl import envs
from robomtl.data import find_keyframes, keyframe_action
from robomtl.episode import run_episode
from robomtl.evaluation import FIRST_SEED
from robomtl.report.film import film_episode
from robomtl.threads import torch_threads


class Script:
    """A policy that knows its actions beforehand; the last one is repeated."""

    cameras = ()
    image_size = 128

    def __init__(self, actions):
        self.actions = actions

    def act(self, observation, task):
        return self.actions[min(int(observation["timestep"]), len(self.actions) - 1)]


@pytest.fixture(scope="module")
def env():
    return envs.make("push_button", cameras=())


@pytest.fixture(scope="module")
def expert(env):
    """The keyframes of a demonstration of the first evaluation scene, as actions."""
    demo = env.collect_demo(FIRST_SEED)
    return Script([keyframe_action(demo, keyframe) for keyframe in find_keyframes(demo)])


def test_the_keyframes_of_a_demonstration_solve_its_scene(env, expert):
    episode = run_episode(env, expert, "push_button", FIRST_SEED)
    assert episode.success
    assert episode.steps == len(expert.actions)
    assert episode.error is None
    assert episode.key == ("push_button", 0, FIRST_SEED)


def test_policies_compute_with_one_thread_here_as_in_every_worker(env, expert):
    threads = []

    class Counting(Script):
        def act(self, observation, task):
            threads.append(torch.get_num_threads())
            return super().act(observation, task)

    with torch_threads(2):
        run_episode(env, Counting(expert.actions), "push_button", FIRST_SEED)
        assert torch.get_num_threads() == 2
    assert set(threads) == {1}


def test_an_episode_ends_at_the_step_limit_and_at_an_impossible_action(env, expert):
    idle = Script(expert.actions[:1])
    episode = run_episode(env, idle, "push_button", FIRST_SEED)
    assert (episode.success, episode.steps, episode.error) == (False, env.max_steps, None)
    outside = Script([np.array([9, 0, 1, 0, 1, 0, 0, 1.0])])
    episode = run_episode(env, outside, "push_button", FIRST_SEED)
    assert (episode.success, episode.steps) == (False, 1)
    assert episode.error == "InvalidActionError"


def test_a_film_shows_the_episode_from_start_to_success(expert):
    episode, film = film_episode(expert, "push_button", FIRST_SEED, look="fast")
    assert episode.success
    assert len(film) >= 10
    assert all(picture.shape == (360, 480, 3) for picture in film)
    moved = np.abs(film[0].astype(int) - film[-1]).max(axis=-1) > 50
    assert moved.mean() > 0.01  # the arm is elsewhere at the end


def test_a_film_of_a_policy_that_cannot_move_shows_the_scene(expert):
    outside = Script([np.array([9, 0, 1, 0, 1, 0, 0, 1.0])])
    _, film = film_episode(outside, "push_button", FIRST_SEED, variation=1, look="fast")
    assert len(film) == 1
    _, moving = film_episode(expert, "push_button", FIRST_SEED, variation=1, look="fast")
    assert (moving[0] == film[0]).all()
    # The fingers and the arm have hardly moved in the next picture, and nothing else has.
    assert (np.abs(moving[1].astype(int) - film[0]).max(axis=-1) > 50).mean() < 0.01
