"""Protocols, their cards, and the statistics that they report."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from robomtl.agents.sac import SACConfig
from robomtl.envs import UnknownNameError
from robomtl.exceptions import ExperimentError
from robomtl.rl.aggregate import bootstrap_interval, interquartile_mean
from robomtl.rl.card import card_line, card_protocol, protocol_card
from robomtl.rl.environment import RunningDeviation
from robomtl.rl.overrides import Overrides
from robomtl.rl.protocol import PROTOCOLS, Protocol, protocol_named

RATES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_card_says_everything_and_survives_json(name):
    card = json.loads(json.dumps(protocol_card(name, Overrides(), ())))
    assert card["modified"] == {}
    assert card_line(card) == f"protocol {name}"
    assert len(card["tasks"]) == 10
    assert card["steps"] == 10 * PROTOCOLS[name].steps_per_task
    assert card_protocol(card) == PROTOCOLS[name]


def test_every_override_is_something_that_a_protocol_has():
    known = {f.name for f in fields(Protocol)} | {f.name for f in fields(SACConfig)} | {"steps"}
    assert {f.name for f in fields(Overrides)} <= known


def test_what_is_changed_is_listed_and_nothing_else():
    overrides = Overrides(steps=300_000, width=400, layer_norm=True, clip=1.0)
    card = protocol_card("lite", overrides, ())
    assert card["modified"] == {
        "steps_per_task": [60_000, 30_000],
        "width": [256, 400],
        "clip": [None, 1.0],
    }
    assert "steps_per_task 30,000 (was 60,000)" in card_line(card)
    protocol = card_protocol(card)
    assert protocol.sac == replace(PROTOCOLS["lite"].sac, width=400, clip=1.0)


def test_steps_of_all_tasks_together_are_shared_by_those_that_are_learned():
    card = protocol_card("lite", Overrides(steps=1001), ("reach-v3", "push-v3"))
    assert card["steps_per_task"] == 502  # a whole number of actions
    assert card["steps"] == 1004


@pytest.mark.parametrize("wrong", [{"action_repeat": 0}, {"action_repeat": 7}, {"horizon": 15}])
def test_an_action_is_held_for_a_whole_part_of_an_episode(wrong):
    with pytest.raises(ExperimentError, match="action_repeat must be at least 1"):
        protocol_card("lite", Overrides(**wrong), ())


@pytest.mark.parametrize("name", ["horizon", "steps", "evaluation_interval", "final_episodes"])
def test_numbers_are_refused_as_they_were_given(name):
    with pytest.raises(ExperimentError, match=f"^{name} must be at least 1, not -5$"):
        protocol_card("lite", Overrides(**{name: -5}), ())


def test_unknown_names_are_answered_with_the_valid_ones():
    with pytest.raises(ExperimentError, match=r"'papr'; valid: paper, metaworld\+, lite"):
        protocol_named("papr")
    with pytest.raises(UnknownNameError, match="window-close-v3"):
        protocol_card("lite", Overrides(), ("assembly-v3",))


def test_evaluations_come_where_episodes_end():
    for protocol in PROTOCOLS.values():
        assert protocol.interval % protocol.horizon == 0
        assert 0 <= protocol.interval - protocol.evaluation_interval < protocol.horizon


@given(RATES)
def test_the_interquartile_mean_is_scipys_trimmed_mean(rates):
    assert float(interquartile_mean(rates)) == pytest.approx(scipy.stats.trim_mean(rates, 0.25))


@pytest.mark.parametrize(("aggregate", "statistic"), [("mean", np.mean), ("iqm", None)])
def test_the_interval_is_a_percentile_bootstrap(aggregate, statistic):
    rates = np.random.default_rng(0).beta(5, 2, 10)

    def trimmed(values, axis):
        return scipy.stats.trim_mean(values, 0.25, axis)

    expected = scipy.stats.bootstrap(
        (rates,), statistic or trimmed, method="percentile", n_resamples=50_000, rng=0
    ).confidence_interval
    assert bootstrap_interval(rates, aggregate) == pytest.approx(tuple(expected), abs=0.01)


def test_one_seed_has_no_interval_and_equal_seeds_have_one_of_no_width():
    assert bootstrap_interval([0.4], "iqm") is None
    low, high = bootstrap_interval([[0.4, 0.5]] * 3, "mean")
    np.testing.assert_allclose([low, high], [[0.4, 0.5]] * 2)


def test_rewards_are_divided_by_a_deviation_that_forgets_the_first_ones():
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 40.0])
    normaliser, mean, variance = RunningDeviation(2), np.zeros(2), np.ones(2)
    for _ in range(20_000):
        rewards = scale * rng.normal(size=2)
        mean = 0.999 * mean + 0.001 * rewards
        variance = 0.999 * variance + 0.001 * (rewards - mean) ** 2
        divided = normaliser.normalise(rewards)
        np.testing.assert_allclose(divided, rewards / (np.sqrt(variance) + 1e-8), rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(normaliser.variance), scale, rtol=0.1)


def test_the_deviation_goes_on_from_where_it_was_saved():
    rng = np.random.default_rng(1)
    one, other = RunningDeviation(3), RunningDeviation(3)
    one.normalise(rng.normal(size=3))
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    rewards = rng.normal(size=3)
    np.testing.assert_array_equal(one.normalise(rewards), other.normalise(rewards))
