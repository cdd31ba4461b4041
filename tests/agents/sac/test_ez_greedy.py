import numpy as np
import pytest

from robomtl.agents.sac import MultiTaskSAC, SACConfig
from robomtl.agents.sac.ez_greedy import EZGreedy
from tests.agents.sac.worlds import Points

TASKS, STEPS = 50, 4000


def explored(epsilon, *, always=False, steps=STEPS, seed=3):
    """What becomes of actions that are 7 everywhere, (steps, TASKS, 2)."""
    ez_greedy = EZGreedy(TASKS, 2, epsilon, seed)
    wanted = np.full((TASKS, 2), 7, np.float32)
    return np.stack([ez_greedy.replace(wanted, always=always) for _ in range(steps)])


def lengths(actions):
    """For how long each random action was held."""
    found = []
    for own in actions.swapaxes(0, 1):
        changes = np.flatnonzero((own[1:] != own[:-1]).any(1)) + 1
        runs = np.split(own, changes)[:-1]  # the last may not have ended
        found += [len(run) for run in runs if run[0, 0] != 7]
    return np.array(found)


def test_an_action_is_the_wanted_one_or_a_held_one_as_a_whole():
    actions = explored(0.05)
    assert actions.dtype == np.float32
    replaced = actions != 7
    np.testing.assert_array_equal(replaced[..., 0], replaced[..., 1])
    held = actions[replaced]
    assert held.min() < -0.99
    assert held.max() < 1
    assert held.mean() == pytest.approx(0, abs=0.03)
    assert held.std() == pytest.approx(3**-0.5, abs=0.02)


def test_one_begins_with_probability_epsilon_whenever_none_is_held():
    actions = explored(0.05)
    own = (actions == 7)[..., 0].sum()
    begun = len(lengths(actions))
    assert begun / (own + begun) == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("always", [False, True])
def test_lengths_fall_as_one_over_their_square_up_to_32(always):
    found = lengths(explored(0.05, always=always))
    wanted = np.arange(1, 10_000.0) ** -2
    wanted /= wanted.sum()
    share = np.bincount(found, minlength=33) / len(found)
    np.testing.assert_allclose(share[1:32], wanted[:31], atol=0.02)
    assert share[32] == pytest.approx(wanted[31:].sum(), abs=0.005)
    assert found.max() == 32


def test_always_leaves_nothing_of_what_was_wanted():
    assert not (explored(0.0, always=True, steps=50) == 7).any()


def test_no_epsilon_holds_nothing():
    assert (explored(0.0, steps=50) == 7).all()


def test_tasks_hold_actions_of_their_own_and_a_seed_fixes_them():
    actions = explored(0.0, always=True, steps=20)
    assert len(np.unique(actions[0, :, 0])) == TASKS
    np.testing.assert_array_equal(actions, explored(0.0, always=True, steps=20))
    assert (actions != explored(0.0, always=True, steps=20, seed=4)).all()


class Wide(Points):
    """Points whose actions go from -4 to 2."""

    def __init__(self):
        super().__init__()
        self.action_space.low[:], self.action_space.high[:] = -4, 2


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_what_is_held_is_done_and_remembered(epsilon):
    config = SACConfig(width=16, depth=2, batch_size=8, warm_up=12, ez_epsilon=epsilon)
    model = MultiTaskSAC(Wide(), config, seed=0, device="cpu")
    done = []
    act = model.env.step_async
    model.env.step_async = lambda actions: done.append(np.array(actions)) or act(actions)
    model.learn(3 * 200)
    done = np.stack(done)
    remembered = model.replay_buffer.rows[:, :200, 8:10].swapaxes(0, 1)
    np.testing.assert_allclose(done, 3 * remembered - 1, rtol=1e-5, atol=1e-5)
    # Whoever draws each action anew does not do the same twice.
    repeats = (done[1:] == done[:-1]).all(2)
    for part in repeats[:11], repeats[12:]:
        assert part.any() == (epsilon > 0)
    assert (model.ez_greedy is None) == (epsilon == 0)
