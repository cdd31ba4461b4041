"""`robomtl rl compare` as a user runs it."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from robomtl.data.locking import FolderLock
from robomtl.rl.comparison import RLCompareConfig, compare_rl
from robomtl.rl.outcome import Outcome
from robomtl.rl.plots import draw_conflict, draw_success, draw_tasks
from robomtl.rl.training import train_rl
from tests.robomtl.rl_settings import OPTIONS, TASKS, TINY

pytestmark = pytest.mark.usefixtures("goal_cache")


@pytest.fixture(scope="module")
def compared(tmp_path_factory, goal_cache):
    """A comparison of which one run was trained separately, beforehand."""
    out = tmp_path_factory.mktemp("comparison")
    train_rl(replace(TINY, method="pcgrad", seed=1), out / "runs" / "pcgrad-1")
    before = (out / "runs" / "pcgrad-1" / "policy.pt").stat().st_mtime_ns
    config = RLCompareConfig(
        out=out, methods=("single_task", "pcgrad"), seeds=(0, 1), training=TINY
    )
    comparison = compare_rl(config)
    assert (out / "runs" / "pcgrad-1" / "policy.pt").stat().st_mtime_ns == before
    return config, comparison


def results(out, folder):
    return json.loads((out / "runs" / folder / "result.json").read_text())


def test_final_and_max_over_time_are_those_of_the_runs(compared):
    config, comparison = compared
    found = comparison["methods"]["pcgrad"]
    finals = [results(config.out, f"pcgrad-{seed}")["final"]["mean"] for seed in (0, 1)]
    assert found["final"]["seeds"] == pytest.approx(finals)
    assert found["final"]["mean"] == pytest.approx(np.mean(finals))
    curves = np.array(found["curve"]["seeds"])
    assert curves.shape == (2, 4)
    assert found["max_over_time"]["mean"] == pytest.approx(curves.mean(0).max())
    assert found["curve"]["steps"] == [40, 80, 120, 160]
    assert json.loads((config.out / "comparison.json").read_text()) == comparison


def test_single_task_networks_have_the_steps_that_their_task_has_among_others(compared):
    config, comparison = compared
    for task in TASKS:
        alone = results(config.out, f"single_task-0/{task}")
        assert alone["steps"] == 80
        assert alone["card"]["evaluation_interval"] == 20
        rate = alone["final"]["success"][task]
        other = results(config.out, f"single_task-1/{task}")["final"]["success"][task]
        mean = comparison["methods"]["single_task"]["final"]["tasks"][task]
        assert mean == pytest.approx((rate + other) / 2)
    assert comparison["methods"]["single_task"]["curve"]["steps"] == [40, 80, 120, 160]


def test_a_comparison_again_trains_nothing_and_shows_the_protocol(compared, printed):
    config, _ = compared
    made = {path: path.stat().st_mtime_ns for path in config.out.rglob("policy.pt")}
    shown = printed(
        "rl", "compare", "--methods", "single_task", "pcgrad", "--seeds", 0, 1, *OPTIONS,
        "--out", config.out,
    )  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in config.out.rglob("policy.pt")} == made
    assert "final (iqm)" in shown
    assert "max over time (of the mean)" in shown
    assert shown.count("protocol lite, modified") == 1
    for name in ("success", "tasks", "conflict"):
        assert cv2.imread(str(config.out / f"{name}.png")).std() > 1


@pytest.mark.parametrize(("method", "tasks"), [("single_task", TASKS), ("equal", TASKS[:1])])
def test_where_no_tasks_share_anything_no_conflict_is_drawn(method, tasks, tmp_path):
    training = replace(TINY, tasks=tasks)
    compare_rl(RLCompareConfig(out=tmp_path, methods=(method,), training=training))
    assert {path.name for path in tmp_path.glob("*.png")} == {"success.png", "tasks.png"}


def test_what_other_processes_train_is_left_to_them_and_named(compared, refused):
    config, _ = compared
    folder = config.out / "runs" / "equal-0"
    folder.mkdir()
    lock = FolderLock(folder)
    options = ("--methods", "equal", "pcgrad", "--seeds", 0, *OPTIONS, "--out", config.out)
    assert "equal-0" in refused("rl", "compare", *options)
    lock.release()


def test_a_run_of_other_settings_is_found_before_any_other_is_trained(compared, refused, tmp_path):
    config, _ = compared
    copied = tmp_path / "runs" / "pcgrad-1"
    shutil.copytree(config.out / "runs" / "pcgrad-1", copied)
    options = ("--methods", "equal", "pcgrad", "--seeds", 0, 1, *OPTIONS, "--out", tmp_path)
    message = refused("rl", "compare", *options, "--gamma", 0.9)
    assert f"{copied} holds a run with other settings: gamma was " in message
    assert [*copied.parent.iterdir()] == [copied]


def test_nothing_to_compare_is_refused(refused, tmp_path):
    assert "at least one method" in refused("rl", "compare", "--methods", "--out", tmp_path)


@pytest.mark.parametrize("method", ["pcgrda", "dwa+cagrda", "aligned_mtl_ub", "fixed"])
def test_a_method_that_cannot_be_trained_is_refused_before_any_other_is(method, refused, tmp_path):
    methods = ("--methods", "equal", "single_task", method)
    assert method.split("+")[-1] in refused("rl", "compare", *methods, *OPTIONS, "--out", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_seed_that_cannot_be_trained_is_refused_before_any_other_is(refused, tmp_path):
    options = ("--methods", "equal", "--seeds", 0, 2**32, *OPTIONS, "--out", tmp_path)
    assert "not 4294967296" in refused("rl", "compare", *options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("repeated", ["methods", "seeds"])
def test_what_is_named_twice_is_refused(repeated, refused, tmp_path):
    given = {"methods": ["pcgrad", "equal"], "seeds": ["0", "1"]}
    given[repeated] *= 2
    options = [word for name, values in given.items() for word in (f"--{name}", *values)]
    message = refused("rl", "compare", *options, *OPTIONS, "--out", tmp_path)
    assert f"the {repeated} [" in message
    assert "more than once" in message
    assert not list(tmp_path.iterdir())


def outcome(rng, tasks=3, evaluations=12):
    lines = np.arange(evaluations) * 10
    values = np.where(rng.random(evaluations) < 0.3, np.nan, rng.uniform(0.1, 1, evaluations))
    names = [f"{p}_{m}" for p in ("critic", "actor") for m in ("condition_number", "lowest_cosine")]
    return Outcome(
        tasks=tuple(f"task{number}" for number in range(tasks)),
        steps=np.arange(1, evaluations + 1) * 100,
        success=rng.random((evaluations, tasks)),
        final=rng.random(tasks),
        conflict=dict.fromkeys(names, (lines, values)),
    )


@pytest.mark.parametrize("seeds", [1, 3])
def test_pictures_can_be_drawn_of_few_seeds_and_unknown_numbers(seeds, tmp_path):
    rng = np.random.default_rng(seeds)
    outcomes = {name: [outcome(rng) for _ in range(seeds)] for name in ("equal", "nash_mtl")}
    outcomes["single_task"] = [replace(one, conflict={}) for one in outcomes["equal"]]
    draw_success(tmp_path / "success.png", outcomes, "iqm", "protocol lite")
    draw_tasks(tmp_path / "tasks.png", outcomes, "protocol lite")
    draw_conflict(tmp_path / "conflict.png", outcomes, "protocol lite, " + 30 * "modified, ")
    for name in ("success", "tasks", "conflict"):
        assert cv2.imread(str(tmp_path / f"{name}.png")).std() > 1
