"""Methods by name."""

import math

import pytest
import torch

from robomtl import methods
from robomtl.methods import (
    CombinationError,
    MethodError,
    MissingArgumentError,
    UnknownMethodError,
    UnknownTaskError,
)
from robomtl.methods.aggregators import WeightsError
from robomtl.methods.recipe import Recipe
from tests.methods.problems import TASKS, Bowls


def test_every_name_is_described_in_one_line():
    for line in methods.names().values():
        assert line.endswith(".")
        assert "\n" not in line
    assert len(set(methods.names().values())) == len(methods.names())


@pytest.mark.parametrize("name", ["magic", "equal+magic", "", "equal+", "EQUAL"])
def test_an_unknown_method_lists_the_known_ones(name):
    with pytest.raises(UnknownMethodError, match=r"Available methods.*'equal'.*'aligned_mtl'"):
        methods.make(name, TASKS)


@pytest.mark.parametrize(
    "name",
    ["pcgrad+cagrad", "auto_lambda+gcs", "equal+dwa+mgda", "ial+cagrad", "imtl+equal", "mgda+mgda"],
)
def test_a_pair_that_makes_no_sense_lists_what_would(name):
    with pytest.raises(CombinationError, match=r"Weightings: .*'dwa'.*Aggregators: .*'mgda_ub'"):
        methods.make(name, TASKS, ["a"])


def test_the_delayed_auto_lambda_wants_the_optimiser_for_itself():
    with pytest.raises(CombinationError, match="Use 'auto_lambda'"):
        methods.make("auto_lambda_delayed+cagrad", TASKS)


def test_the_order_of_a_pair_does_not_matter():
    def run(name):
        bowls = Bowls()
        methods.make(name, TASKS, weights={"a": 1.0, "b": 2.0, "c": 3.0}).backward(
            bowls, bowls.batches(1)[0]
        )
        return bowls.shared.grad

    assert run("fixed+cagrad").equal(run("cagrad+fixed"))


def test_sum_and_mean_are_what_they_say_and_cost_one_backward_pass():
    bowls = Bowls()
    (batch,) = bowls.batches(1)
    found = {}
    for name in ("sum", "mean", "equal", "equal+sum"):
        method = methods.make(name, TASKS)
        assert method.aggregator is None
        method.backward(bowls, batch)
        found[name] = bowls.shared.grad.clone()
    torch.testing.assert_close(found["sum"], 3 * found["mean"])
    assert found["mean"].equal(found["equal"])
    assert found["equal+sum"].equal(found["equal"])


def test_tasks_must_be_known_and_named_once():
    with pytest.raises(UnknownTaskError, match=r"\['z'\].*\['a', 'b', 'c'\]"):
        methods.make("equal", TASKS, ["a", "z"])
    with pytest.raises(MethodError, match=r"The tasks .* name \['a'\] more than once"):
        methods.make("equal", ("a", "b", "a"))
    with pytest.raises(MethodError, match=r"The primary tasks .* name \['b'\] more than once"):
        methods.make("equal", TASKS, ["b", "b"])
    with pytest.raises(MissingArgumentError, match=r"`primary` names no task.*'a', 'b', 'c'"):
        methods.make("equal", TASKS, [])


@pytest.mark.parametrize("name", ["gcs", "ol_aux", "ial"])
def test_auxiliary_methods_ask_for_auxiliary_tasks(name):
    with pytest.raises(MissingArgumentError, match=f"{name}.*name some of them as primary\\."):
        methods.make(name, TASKS)
    methods.make(name, TASKS, ["a"])


def test_given_weights_are_asked_for_by_name_and_only_where_they_are_used():
    with pytest.raises(MissingArgumentError, match=r"fixed.*\['a', 'b', 'c'\].*None"):
        methods.make("fixed", TASKS)
    with pytest.raises(MissingArgumentError, match=r"not for \['a', 'b'\]"):
        methods.make("fixed", TASKS, weights={"a": 1.0, "b": 2.0})
    with pytest.raises(MissingArgumentError, match="takes no weights"):
        methods.make("equal", TASKS, weights=dict.fromkeys(TASKS, 1.0))
    with pytest.raises(UnknownMethodError, match="magic"):
        methods.make("magic", TASKS, weights=dict.fromkeys(TASKS, 1.0))


@pytest.mark.parametrize("weights", [(1, -1, 1), (1, math.nan, 1), (math.inf, 1, 1), (0, 0, 0)])
@pytest.mark.parametrize("name", ["fixed", "fixed+pcgrad"])
def test_given_weights_are_numbers_that_mean_something(name, weights):
    given = dict(zip(TASKS, map(float, weights), strict=True))
    with pytest.raises(WeightsError, match=r"finite, not negative and not all 0, not \{'a': "):
        methods.make(name, TASKS, weights=given)


@pytest.mark.parametrize("name", [*methods.names(), "auto_lambda+pcgrad", "equal+cagrad"])
def test_a_rate_is_for_methods_that_learn_weights_alone(name, monkeypatch):
    asked = []
    monkeypatch.setattr(Recipe, "rate_or", lambda _, default: asked.append(default) or default)
    tasks = ("a", "b", "a->b")
    given = name in ("fixed", "saal_e", "saal_ew")
    weights = dict.fromkeys(tasks, 1.0) if given else None
    methods.make(name, tasks, ["a"], weights=weights)
    assert bool(asked) == methods.learns_weights(name)
    for rate in (1e-3, 0.0, -1.0, math.nan, math.inf):
        if asked and rate == 1e-3:
            methods.make(name, tasks, ["a"], weights=weights, rate=rate)
            continue
        with pytest.raises(MethodError, match="positive" if asked else "takes no rate"):
            methods.make(name, tasks, ["a"], weights=weights, rate=rate)


def test_the_seed_decides_what_is_drawn():
    def run(name, seed):
        bowls = Bowls()
        method = methods.make(name, TASKS, seed=seed)
        found = []
        for batch in bowls.batches(10):
            method.backward(bowls, batch)
            found.append(bowls.shared.grad)
        return torch.stack(found)

    for name in ("rlw_normal", "graddrop", "rlw_dirichlet+pcgrad"):
        first, again, other = run(name, 1), run(name, 1), run(name, 2)
        assert first.equal(again)
        assert not first.equal(other)
