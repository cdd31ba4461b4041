import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robomtl.agents.sac import MultiTaskSAC, NonFiniteTransitionError, SACConfig
from robomtl.agents.sac.standardisation import Standardisation
from tests.agents.sac.worlds import Points

_TASKS, _STATES = 3, 4
_SMALL = {"width": 16, "depth": 2, "batch_size": 8, "warm_up": 12, "buffer_size": 200}


def seen(states):
    found = Standardisation(states.shape[1], states.shape[2])
    for step in states:
        found.see(step)
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 40),
    offset=st.floats(-1e3, 1e3),
    size=st.floats(0.1, 100),
)
def test_each_task_has_mean_zero_and_deviation_one(seed, steps, offset, size):
    rng = np.random.default_rng(seed)
    states = (
        offset
        + size * rng.normal(size=(steps, _TASKS, _STATES)) * rng.uniform(1, 5, _TASKS)[:, None]
    )
    module = seen(states)
    np.testing.assert_allclose(module.shift, states.mean(0), rtol=1e-5, atol=1e-5)
    deviation = np.maximum(states.std(0), 1e-2)
    np.testing.assert_allclose(1 / module.scale, deviation, rtol=1e-4)
    rows = torch.tensor(states[:, 1], dtype=torch.float32)
    wanted = ((states[:, 1] - states[:, 1].mean(0)) / deviation[1]).clip(-10, 10)
    np.testing.assert_allclose(module(rows, [1]), wanted, atol=1e-5 * (1 + abs(offset) / size) * 30)


def test_what_never_moves_is_not_blown_up_and_what_is_far_out_is_clipped():
    states = np.ones((20, 1, 2))
    states[:, :, 1] += 1e-6 * np.arange(20)[:, None]
    module = seen(states)
    assert module(torch.tensor([[1.0, 1.001]]), [0]).abs().max() < 0.11
    assert module(torch.tensor([[99.0, -99.0]]), [0]).tolist() == [[10.0, -10.0]]


def test_before_anything_is_seen_states_stay_as_they_are():
    rows = torch.randn(6, _STATES)
    assert Standardisation(_TASKS, _STATES)(rows, [0, 1, 2]).equal(rows)


def test_groups_of_rows_are_standardised_by_their_own_task():
    module = seen(np.random.default_rng(0).normal(3, 2, (9, _TASKS, _STATES)))
    rows = torch.randn(6, _STATES)
    together = module(rows, [2, 0])
    assert together.equal(torch.cat((module(rows[:3], [2]), module(rows[3:], [0]))))


def test_actor_and_critics_see_what_was_experienced_standardised():
    model = MultiTaskSAC(Points(), SACConfig(standardise=True, **_SMALL), seed=0, device="cpu")
    model.learn(3 * 30)
    shared = model.actor.standardisation
    assert shared is model.critic.standardisation is model.critic_target.standardisation
    experienced = model.replay_buffer.rows[:, :30, :4]
    np.testing.assert_allclose(shared.shift, experienced.mean(1), atol=1e-5)
    states = torch.as_tensor(experienced[1, :5])
    actions = torch.zeros(5, 2)
    standardised = shared(states, [1])
    with torch.no_grad():
        mean = model.actor.parameters_of(states, [1])[0]
        value = model.critic.values(states, actions, [1])[0]
        assert mean.equal(model.actor.network(standardised, [1]).chunk(2, 1)[0])
        inputs = torch.cat((standardised, actions), 1)
        assert value.equal(model.critic.twins[0](inputs, [1])[:, 0])


def test_a_state_that_is_refused_does_not_spoil_the_statistics():
    class Broken(Points):
        def observations(self):
            found = super().observations()
            if self.age[1] == 5:
                found[1, 0] = np.nan
            return found

    model = MultiTaskSAC(Broken(), SACConfig(standardise=True, **_SMALL), seed=0, device="cpu")
    with pytest.raises(NonFiniteTransitionError, match="go1"):
        model.learn(3 * 30)
    assert model.actor.standardisation.count == model.replay_buffer.total > 0
    assert np.isfinite(model.actor.standardisation.squares).all()


def test_a_saved_model_standardises_as_before(tmp_path):
    model = MultiTaskSAC(Points(), SACConfig(standardise=True, **_SMALL), seed=0, device="cpu")
    model.learn(3 * 30).save(tmp_path / "model")
    loaded = MultiTaskSAC.load(tmp_path / "model", env=Points(), device="cpu")
    obs = Points(seed=4).reset()
    np.testing.assert_array_equal(
        loaded.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
    )
    loaded.learn(3 * 15)
    assert loaded.actor.standardisation is loaded.critic_target.standardisation
