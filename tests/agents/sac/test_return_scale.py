import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robomtl.agents.sac import MultiTaskSAC, SACConfig
from robomtl.agents.sac.return_scale import ReturnScale
from tests.agents.sac.worlds import Points

_SMALL = {"width": 16, "depth": 2, "batch_size": 8, "warm_up": 12, "buffer_size": 200}


def discounted(rewards, dones, gamma):
    """Every return, summed anew for each step from where its episode began."""
    found = []
    for now in range(len(rewards)):
        past = [before for before in range(now) if dones[before]]
        start = past[-1] + 1 if past else 0
        powers = gamma ** np.arange(now - start, -1, -1)
        found.append((powers * rewards[start : now + 1]).sum())
    return np.array(found)


@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 30),
    gamma=st.floats(0, 1),
    size=st.floats(0.1, 100),
)
def test_deviations_are_those_of_the_discounted_returns_of_each_task(seed, steps, gamma, size):
    rng = np.random.default_rng(seed)
    rewards = size * rng.normal(size=(steps, 3))
    dones = rng.random((steps, 3)) < 0.2
    scale = ReturnScale(3)
    for reward, done in zip(rewards, dones, strict=True):
        scale.see(reward, done, gamma)
    wanted = [discounted(rewards[:, t], dones[:, t], gamma).std() for t in range(3)]
    np.testing.assert_allclose(scale.deviation, np.maximum(wanted, 1e-3), rtol=1e-6)


def test_nothing_is_scaled_before_anything_was_seen_and_what_never_differs_is_not_blown_up():
    scale = ReturnScale(2)
    assert scale.deviation.tolist() == [1, 1]
    for _ in range(5):
        scale.see(np.array([0.0, 3.0]), np.array([True, True]), 0.9)
    assert scale.deviation.tolist() == [1e-3, 1e-3]


def test_critics_learn_from_rewards_of_one_size():
    class Unequal(Points):
        def step_wait(self):
            obs, rewards, dones, infos = super().step_wait()
            return obs, rewards * np.array([1, 100, 0.01]), dones, infos

    deviations, targets = [], []
    for world in (Points(), Unequal()):
        config = SACConfig(normalise_returns=True, **{**_SMALL, "warm_up": 1000})
        model = MultiTaskSAC(world, config, seed=0, device="cpu").learn(3 * 100)
        deviations.append(model.policy.return_scale.deviation)
        targets.append(model._batch(24).targets)
    np.testing.assert_allclose(deviations[1], deviations[0] * [1, 100, 0.01], rtol=1e-5)
    torch.testing.assert_close(*targets)


def test_a_saved_model_keeps_its_unit_but_not_its_episodes(tmp_path):
    config = SACConfig(normalise_returns=True, critic_loss="cross_entropy", **_SMALL)
    model = MultiTaskSAC(Points(), config, seed=0, device="cpu").learn(3 * 25)
    model.save(tmp_path / "model")
    loaded = MultiTaskSAC.load(tmp_path / "model", env=Points(), device="cpu")
    before, after = model.policy.return_scale, loaded.policy.return_scale
    assert after.deviation.tolist() == before.deviation.tolist() != [1, 1, 1]
    assert before.returns.any()
    loaded.learn(3)
    assert after.count == before.count + 1
    np.testing.assert_allclose(after.returns, loaded.replay_buffer.sample(3).rewards[:, 0])
    model.learn(3)  # which starts anew
    assert before.count == 26
    last_rewards = model.replay_buffer.rows[:, 25, -2]  # the last column is whether it ended
    np.testing.assert_allclose(before.returns, last_rewards, rtol=1e-5)


@pytest.mark.parametrize("temperature", ["per_task", "shared"])
def test_temperatures_begin_where_they_are_told_to(temperature):
    config = SACConfig(initial_temperature=0.02, temperature=temperature, **_SMALL)
    model = MultiTaskSAC(Points(), config, seed=0, device="cpu")
    assert model.log_ent_coef.exp().tolist() == pytest.approx([0.02] * len(model.log_ent_coef))
    assert model.log_ent_coef.is_leaf
