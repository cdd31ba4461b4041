import numpy as np
import pytest
import torch
from gymnasium import spaces

from robomtl.agents.sac import NonFiniteTransitionError, SettingError, TaskReplay

_TASKS = ("push", "pull", "lift")


def replay(capacity=10, tasks=_TASKS, seed=0):
    size = 2 + (len(tasks) if len(tasks) > 1 else 0)
    return TaskReplay(
        capacity * len(tasks),
        spaces.Box(-np.inf, np.inf, (size,), np.float64),
        spaces.Box(-1, 1, (1,), np.float32),
        device="cpu",
        n_envs=len(tasks),
        tasks=tasks,
        seed=seed,
    )


def add(memory, step, *, done=False, infos=None, rewards=None):
    """Add a step whose numbers tell step and task."""
    count = memory.n_envs
    one_hot = np.eye(count) if count > 1 else np.zeros((1, 0))
    number = 100 * np.arange(count) + step
    state = np.stack((number, number), 1)
    memory.add(
        np.concatenate((state, one_hot), 1).astype(float),
        np.concatenate((state + 1, one_hot), 1).astype(float),
        np.zeros((count, 1)),
        number.astype(float) if rewards is None else rewards,
        np.full(count, done),
        infos or [{}] * count,
    )


@pytest.mark.parametrize("capacity", [10**13, 10**18])
def test_more_transitions_than_there_is_memory_for_are_refused(capacity):
    with pytest.raises(SettingError, match=r"transitions of each task takes .* GB of memory"):
        replay(capacity)


@pytest.mark.parametrize("steps", [1, 7, 10, 23])
def test_samples_are_shared_by_tasks_and_come_from_what_is_remembered(steps):
    memory = replay()
    for step in range(steps):
        add(memory, step)
    drawn = memory.sample(300)
    task, step = np.divmod(drawn.rewards.numpy()[:, 0].astype(int), 100)
    assert task.tolist() == np.repeat(range(3), 100).tolist()
    assert set(step) == set(range(max(steps - 10, 0), steps))
    assert drawn.observations.shape == (300, 2)
    assert drawn.observations.dtype == torch.float32
    torch.testing.assert_close(drawn.next_observations, drawn.observations + 1)
    torch.testing.assert_close(drawn.observations[:, :1], drawn.rewards)


def test_the_same_seed_draws_the_same():
    first, second, other = replay(), replay(), replay(seed=1)
    for memory in (first, second, other):
        for step in range(10):
            add(memory, step)
    rewards = [memory.sample(30).rewards for memory in (first, second, other)]
    assert rewards[0].equal(rewards[1])
    assert not rewards[0].equal(rewards[2])
    assert not first.sample(30).rewards.equal(rewards[0])


def test_an_episode_that_was_cut_off_did_not_end():
    memory = replay(tasks=("push",))
    add(memory, 0, done=True)
    add(memory, 1, done=True, infos=[{"TimeLimit.truncated": True}])
    add(memory, 2)
    drawn = memory.sample(60)
    found = dict(zip(drawn.rewards[:, 0].tolist(), drawn.dones[:, 0].tolist(), strict=True))
    assert found == {0.0: 1.0, 1.0: 0.0, 2.0: 0.0}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_a_reward_that_is_no_number_is_refused_by_name_and_leaves_nothing(value):
    memory = replay()
    add(memory, 0)
    before = memory.rows.copy()
    with pytest.raises(NonFiniteTransitionError, match=r"step 1 .*pull \(reward") as error:
        add(memory, 1, rewards=np.array([0.0, value, 0.0]))
    assert set(error.value.found) == {"pull"}
    assert memory.total == 1
    np.testing.assert_array_equal(memory.rows, before)


def test_an_observation_that_is_no_number_is_refused_by_name():
    memory = replay()
    bad = np.concatenate((np.ones((3, 2)), np.eye(3)), 1)
    bad[2, 0] = np.nan
    good = np.zeros((3, 5))
    with pytest.raises(NonFiniteTransitionError, match=r"lift \(next observation"):
        memory.add(good, bad, np.zeros((3, 1)), np.zeros(3), np.zeros(3, bool), [{}] * 3)


def test_batches_that_cannot_be_shared_and_normalisation_are_refused():
    memory = replay()
    add(memory, 0)
    with pytest.raises(SettingError, match="3 tasks"):
        memory.sample(10)
    with pytest.raises(SettingError, match="VecNormalize"):
        memory.sample(9, env=object())
