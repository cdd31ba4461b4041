import numpy as np
import pytest
import torch

from robomtl.agents.sac import MultiTaskSAC, SACConfig
from robomtl.agents.sac.pink_noise import PinkNoise
from tests.agents.sac.worlds import Points


@pytest.fixture(scope="module")
def noise():
    """200 stretches of 256 steps, (200, 256, 10, 4)."""
    pink = PinkNoise(10, 4, seed=3)
    return np.stack([pink.at(step) for step in range(200 * 256)]).reshape(200, 256, 10, 4)


def test_each_number_is_as_a_standard_normal_one(noise):
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.03
    # At every place of a stretch.
    np.testing.assert_allclose((noise**2).mean((0, 2, 3)), 1, atol=0.1)
    assert (noise**2).mean() == pytest.approx(1, abs=0.02)
    assert (noise**4).mean() == pytest.approx(3, abs=0.15)
    assert (np.abs(noise) < 1.96).mean() == pytest.approx(0.95, abs=0.005)


def test_power_falls_as_one_over_frequency(noise):
    power = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean((0, 2, 3))
    product = power[1:] * np.arange(1, 129)
    np.testing.assert_allclose(product / product.mean(), 1, atol=0.1)
    assert power[0] == pytest.approx(power[1], rel=0.1)


def test_tasks_and_numbers_of_an_action_have_noise_of_their_own(noise):
    # What lasts is seldom new, so by chance these are larger than those of white noise.
    correlations = np.corrcoef(noise.reshape(-1, 40).T) - np.eye(40)
    assert np.abs(correlations).max() < 0.15
    halves = noise[:-1, -1].ravel(), noise[1:, 0].ravel()
    assert abs(np.corrcoef(*halves)[0, 1]) < 0.05  # stretches know nothing of each other


def test_a_number_depends_on_the_seed_and_the_step_alone():
    one, other = PinkNoise(3, 2, seed=5), PinkNoise(3, 2, seed=5)
    wanted = {step: one.at(step).copy() for step in range(600)}
    for step in (599, 0, 256, 255, 300, 299):
        np.testing.assert_array_equal(other.at(step), wanted[step])
    assert not np.array_equal(PinkNoise(3, 2, seed=6).at(0), wanted[0])


def learner(**changes):
    config = SACConfig(width=16, depth=2, batch_size=8, warm_up=12, **changes)
    return MultiTaskSAC(Points(), config, seed=0, device="cpu")


def test_it_is_what_actions_are_made_with_once_the_warm_up_is_over(monkeypatch):
    asked = []
    given = np.full((3, 2), 0.5, np.float32)
    monkeypatch.setattr(PinkNoise, "at", lambda self, step: asked.append(step) or given)
    model = learner(exploration="pink")
    model.learn(3 * 12)
    assert not asked
    observations = torch.from_numpy(np.asarray(model._last_obs))
    mean, log_std = model.actor.parameters_of(*model.actor.layout.split(observations))
    wanted = torch.tanh(mean + log_std.exp() * 0.5)
    model.learn(3, reset_num_timesteps=False)
    assert asked == [12]
    done = torch.from_numpy(model.env.actions).float()
    torch.testing.assert_close(done, wanted)


def test_actions_have_the_environments_units_and_are_remembered_within_one():
    class Wide(Points):
        def __init__(self):
            super().__init__()
            self.action_space.low[:], self.action_space.high[:] = -4, 2

    config = SACConfig(width=16, depth=2, batch_size=8, warm_up=1, exploration="pink")
    model = MultiTaskSAC(Wide(), config, seed=0, device="cpu")
    model.learn(3 * 2)
    actions, remembered = model._sample_action(model.learning_starts, n_envs=3)
    assert np.abs(remembered).max() <= 1
    np.testing.assert_allclose(actions, 3 * remembered - 1, rtol=1e-5, atol=1e-6)


def test_white_noise_needs_none():
    assert learner().pink_noise is None
