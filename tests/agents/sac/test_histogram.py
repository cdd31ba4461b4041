from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robomtl.agents.sac import MultiTaskSAC, SACConfig, SettingError
from robomtl.agents.sac.histogram import Histogram
from tests.agents.sac.worlds import Points

_SETTINGS = {
    "width": 32, "depth": 2, "layer_norm": True, "batch_size": 32, "warm_up": 20,
    "learning_rate": 3e-3, "gamma": 0.9,
    "initial_temperature": 0.1, "normalise_returns": True,
    "critic_loss": "cross_entropy",
}  # fmt: skip


@given(value=st.floats(-9, 9))
def test_a_bin_gets_what_a_normal_distribution_has_in_it(value):
    histogram = Histogram().double()
    (found,) = histogram.encode(torch.tensor([value], dtype=torch.float64))
    normal = NormalDist(value, 0.75 * 0.2)
    wanted = [normal.cdf(c + 0.1) - normal.cdf(c - 0.1) for c in histogram.centres.tolist()]
    torch.testing.assert_close(found, torch.tensor(wanted).to(found), atol=3e-6, rtol=0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_values_come_back_and_those_beyond_come_back_as_the_ends(values):
    histogram = Histogram()
    targets = torch.tensor(values)
    probabilities = histogram.encode(targets)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(len(values)))
    assert (probabilities >= 0).all()
    back = histogram.decode(probabilities.log())
    # At an end, half of the normal distribution is beyond the last bin's middle, and cut off.
    torch.testing.assert_close(back, targets.clamp(-10, 10), atol=0.08, rtol=0)
    inside = targets.abs() < 9
    torch.testing.assert_close(back[inside], targets[inside], atol=1e-3, rtol=0)


def test_before_learning_values_are_about_nothing():
    assert Histogram().decode(torch.zeros(2, Histogram.bins)).abs().max() < 1e-5


def test_the_error_is_least_where_both_twins_say_the_target():
    critic = MultiTaskSAC(Points(), SACConfig(**_SETTINGS), seed=0, device="cpu").critic
    states, actions, targets = torch.randn(12, 4), torch.randn(12, 2), 2 * torch.randn(12)
    optimiser = torch.optim.Adam(critic.parameters(), lr=1e-2)
    for _ in range(200):
        loss = critic.errors(states, actions, targets, range(3)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    entropy = torch.special.entr(critic.histogram.encode(targets)).sum(1).mean()
    assert loss.item() == pytest.approx(2 * entropy.item(), abs=0.02)
    with torch.no_grad():
        for values in critic.values(states, actions, range(3)):
            torch.testing.assert_close(values, targets, atol=0.05, rtol=0)


def test_points_learn_to_go_their_ways_with_it():
    model = MultiTaskSAC(
        Points(), SACConfig(network="one_hot_multi_head", **_SETTINGS), seed=1, device="cpu"
    ).learn(3 * 400)
    world = Points(seed=7)
    obs, returns = world.reset(), np.zeros(3)
    for _ in range(10):
        obs, rewards, *_ = world.step(model.predict(obs, deterministic=True)[0])
        returns += rewards
    assert (returns > -7).all(), returns  # standing still gives -10, the best is about -3


def test_it_needs_returns_of_about_one():
    with pytest.raises(SettingError, match="normalise_returns"):
        SACConfig(critic_loss="cross_entropy")
