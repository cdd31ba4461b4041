"""The dense-prediction benchmark as a user runs it: collect, train, compare."""

import json
import math
import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from robomtl.agents.dense import (
    METRICS,
    ArchitectureError,
    BatchSizeError,
    DenseNetworkConfig,
    UnknownDenseTaskError,
)
from robomtl.checkpoint import CheckpointError, load_checkpoint
from robomtl.data import DataError
from robomtl.data.exceptions import DatasetInUseError, DatasetMismatchError
from robomtl.data.locking import FolderLock
from robomtl.data.scenes import SPLITS, load_scenes, save_scenes
from robomtl.exceptions import ExperimentError
from robomtl.methods import (
    MethodError,
    MissingArgumentError,
    UnknownMethodError,
    UnsuitableObjectiveError,
)
from robomtl.scenes import collection, training
from robomtl.scenes.collection import SceneCollectConfig, collect_scenes
from robomtl.scenes.comparison import SceneCompareConfig, compare_scenes
from robomtl.scenes.plan import Plan
from robomtl.scenes.training import SceneTrainConfig, train_scenes
from tests.agents.dense.examples import SMALL, random_scenes

THREE = ("segmentation", "depth", "normals")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenes") / "scenes.npz"
    save_scenes(path, random_scenes())
    return path


@pytest.fixture
def config(data):
    return SceneTrainConfig(
        data=data,
        iterations=4,
        batch_size=3,
        checkpoint_interval=2,
        log_interval=1,
        network=DenseNetworkConfig(widths=SMALL, decoder=4),
    )


def same_bits(one, two):
    """Whether two checkpoints hold the same numbers everywhere."""
    if isinstance(one, torch.Tensor):
        return one.equal(two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same_bits(one[k], two[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same_bits, one, two))
    return one == two


def last(out):
    return load_checkpoint(out / "checkpoints" / "last.pt")


def lines(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def without_times(line):
    return {k: v for k, v in line.items() if k not in ("iterations_per_second", "data_wait")}


class PowerCut(Exception):
    pass


@pytest.fixture
def power_cut(monkeypatch):
    """Makes the next training die right after its first checkpoint."""

    def die(path, content):
        save(path, content)
        monkeypatch.setattr(training, "save_checkpoint", save)
        raise PowerCut

    save = training.save_checkpoint
    return lambda: monkeypatch.setattr(training, "save_checkpoint", die)


HALF = DenseNetworkConfig(widths=SMALL, decoder=4, sharing="half")


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "equal"},
        {"method": "auto_lambda", "tasks": (*THREE, "noise"), "primary": THREE},
        {"method": "pcgrad", "optimiser": "sgd", "precision": "f32"},
        {"method": "saal_w", "network": HALF, "self_auxiliaries": ("depth->normals",)},
    ],
    ids=lambda settings: settings["method"],
)
def test_an_interrupted_training_ends_with_the_same_bits(config, tmp_path, power_cut, settings):
    config = replace(config, **settings)
    expected = train_scenes(config, tmp_path / "whole")
    power_cut()
    with pytest.raises(PowerCut):
        train_scenes(config, tmp_path / "cut")
    assert last(tmp_path / "cut")["iteration"] == 2
    assert not (tmp_path / "cut" / "result.json").exists()
    assert train_scenes(config, tmp_path / "cut") == expected
    assert same_bits(last(tmp_path / "cut"), last(tmp_path / "whole"))
    whole, cut = (list(map(without_times, lines(tmp_path / run))) for run in ("whole", "cut"))
    assert cut == whole


def test_a_training_says_what_came_out(config, tmp_path):
    result = train_scenes(config, tmp_path)
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert set(result) == {"validation", "test"}
    for values in result.values():
        assert {task: list(v) for task, v in values.items()} == {t: list(METRICS[t]) for t in THREE}
        assert all(math.isfinite(value) for v in values.values() for value in v.values())
    assert [line["iteration"] for line in lines(tmp_path)] == [1, 2, 3, 4]
    for line in lines(tmp_path):
        assert line["weight"].keys() == line["loss"].keys() == line["coefficient"].keys()
    assert json.loads((tmp_path / "config.json").read_text())["method"] == "equal"


def test_learning_makes_labels_known_that_follow_from_colours(config, tmp_path):
    config = replace(config, tasks=("segmentation", "depth"), precision="f32")
    before = train_scenes(replace(config, iterations=1), tmp_path / "short")["test"]
    longer = replace(config, iterations=150, learning_rate=2e-2, checkpoint_interval=150)
    after = train_scenes(longer, tmp_path / "long")["test"]
    assert after["depth"]["absolute_error"] < 0.5 * before["depth"]["absolute_error"]
    assert after["segmentation"]["mean_iou"] > before["segmentation"]["mean_iou"] + 0.05


def test_a_finished_training_is_not_trained_again(config, tmp_path, monkeypatch):
    expected = train_scenes(config, tmp_path)
    monkeypatch.setattr(training._Run, "_step", lambda *_: pytest.fail("trained again"))
    assert train_scenes(config, tmp_path) == expected


def test_a_run_is_not_continued_with_other_settings_or_scenes(config, tmp_path):
    train_scenes(config, tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"learning_rate was 0\.001, is 0\.1"):
        train_scenes(replace(config, learning_rate=0.1), tmp_path / "run")
    save_scenes(tmp_path / "other.npz", random_scenes(seed=1))
    with pytest.raises(CheckpointError, match="scenes was"):
        train_scenes(replace(config, data=tmp_path / "other.npz"), tmp_path / "run")


def test_a_folder_is_trained_into_by_one_process_at_a_time(config, tmp_path):
    with FolderLock(tmp_path), pytest.raises(DatasetInUseError, match="being written to already"):
        train_scenes(config, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_trained_is_refused_before_anything_is_written(config, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(ExperimentError, match=r"\['noise'\] are not among the tasks"):
        train_scenes(replace(config, primary=("noise",)), out)
    with pytest.raises(ExperimentError, match=r"seed must be within 0 to .*, not -1"):
        train_scenes(replace(config, seed=-1), out)
    with pytest.raises(DataError, match="robomtl scenes collect"):
        train_scenes(replace(config, data=tmp_path / "nowhere.npz"), out)
    with pytest.raises(ArchitectureError, match="need sharing 'half'"):
        train_scenes(replace(config, self_auxiliaries=("depth->normals",)), out)
    for sizes in ({"widths": (4, 0, 8, 8)}, {"decoder": -1}):
        with pytest.raises(ArchitectureError, match="at least 1 channel each"):
            train_scenes(replace(config, network=replace(config.network, **sizes)), out)
    with pytest.raises(MissingArgumentError, match="'equal' learns no weights"):
        train_scenes(replace(config, weight_rate=1e-3), out)
    assert not out.exists()


@pytest.mark.parametrize("command", ["train", "compare", "relationships"])
def test_rates_that_nothing_can_be_learned_at_are_refused(refused, data, tmp_path, command):
    options = ("--data", data, "--out", tmp_path / "out")
    for option in ("--learning-rate", "--weight-rate"):
        for rate in (-1, 0, "nan", "inf"):
            message = refused("scenes", command, option, rate, *options)
            name = option[2:].replace("-", "_")
            assert f"{name} must be positive and finite, not {float(rate)}" in message
    assert not (tmp_path / "out").exists()


def test_a_comparison_measures_methods_against_single_tasks(config, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    base = replace(config, tasks=(*THREE, "noise"), primary=THREE)
    compare = SceneCompareConfig(
        out=tmp_path, methods=("equal", "uncertainty"), seeds=(0, 1), training=base
    )
    comparison = compare_scenes(compare)
    printed = capsys.readouterr().out
    assert comparison.tasks == THREE
    assert list(comparison.values) == ["single-task", "equal", "uncertainty"]
    assert comparison.delta["single-task"] == 0
    for method in ("equal", "uncertainty"):
        assert method in printed
        of_seeds = [train_scenes(
            replace(base, method=method, seed=seed), tmp_path / "runs" / f"{method}-{seed}"
        )["test"] for seed in (0, 1)]  # fmt: skip
        for task in THREE:
            for name, value in comparison.values[method][task].items():
                assert value == pytest.approx(np.mean([v[task][name] for v in of_seeds]))
        gains = list(comparison.improvements[method].values())
        assert comparison.delta[method] == pytest.approx(np.mean(gains), nan_ok=True)
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert written["delta"].keys() == comparison.delta.keys()
    for name in ("weights.png", "improvements.png"):
        assert cv2.imread(str(tmp_path / name)).std() > 5


def test_a_comparison_trains_only_what_it_lacks(config, tmp_path, monkeypatch):
    compare = SceneCompareConfig(out=tmp_path, training=config)
    first = compare_scenes(compare)
    trained = []
    step = training._Run._step
    monkeypatch.setattr(
        training._Run, "_step", lambda run, *rest: trained.append(run.out.name) or step(run, *rest)
    )
    second = compare_scenes(replace(compare, methods=("equal", "dwa")))
    assert set(trained) == {"dwa-0"}
    assert second.values["equal"] == first.values["equal"]


@pytest.mark.parametrize(
    ("change", "gone", "run"),
    [
        ({"weight_rate": 0.1}, [], "famo-0"),
        ({"learning_rate": 0.1}, ["famo-0", "saal_e-0"], "only+depth+normals-0"),
        ({"learning_rate": 0.1}, ["famo-0", "saal_e-0", "only+depth+normals-0"], "only+depth-0"),
    ],
)
def test_a_comparison_finds_runs_of_other_settings_before_it_trains(
    config, tmp_path, monkeypatch, change, gone, run
):
    first = SceneCompareConfig(
        out=tmp_path,
        methods=("famo", "saal_e"),
        training=replace(config, tasks=("depth", "normals")),
    )
    compare_scenes(first)
    monkeypatch.setattr(training._Run, "_step", lambda *_: pytest.fail("trained"))
    compare_scenes(first)
    for name in gone:
        shutil.rmtree(tmp_path / "runs" / name)
    other = replace(
        first,
        methods=("equal", *first.methods),
        seeds=(1, 0),
        training=replace(first.training, **change),
    )
    message = re.escape(f"runs/{run} holds a run with other settings")
    with pytest.raises(CheckpointError, match=message):
        compare_scenes(other)


def settings_of(out, run):
    return json.loads((out / "runs" / run / "config.json").read_text())


def test_weights_and_their_rate_go_only_to_methods_that_use_them(config, tmp_path):
    weights = {"depth": 0.3, "normals": 0.7}
    training = replace(config, tasks=("depth", "normals"), weights=weights, weight_rate=1e-2)
    compare = SceneCompareConfig(out=tmp_path, methods=("fixed", "auto_lambda"), training=training)
    comparison = compare_scenes(compare)
    assert comparison.weights["fixed"] == [pytest.approx(weights)]
    assert settings_of(tmp_path, "fixed-0")["weights"] == weights
    assert settings_of(tmp_path, "auto_lambda-0")["weights"] == {}
    assert settings_of(tmp_path, "fixed-0")["weight_rate"] is None
    assert settings_of(tmp_path, "auto_lambda-0")["weight_rate"] == 1e-2
    other = replace(training, weights={}, weight_rate=1e-3)  # the single tasks do not care
    compare_scenes(replace(compare, methods=("equal", "famo"), training=other))


def test_seeds_may_find_other_transfers_helpful(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    helpful = {0: ("depth->normals",), 1: ("normals->depth",)}
    monkeypatch.setattr(Plan, "_helpful", lambda _plan, seed: helpful[seed])
    compare_scenes(
        SceneCompareConfig(
            out=tmp_path,
            methods=("saal_e",),
            seeds=(0, 1),
            training=replace(config, tasks=("depth", "normals")),
        )
    )
    rows = [line for line in capsys.readouterr().out.splitlines() if "->" in line]
    assert ["–" in row for row in rows] == [True, True]


def test_auxiliary_tasks_transfer_to_primary_ones_too(config, tmp_path, monkeypatch):
    def measured(network, *_):
        """As if segmentation helped depth, and normals did nothing for it."""
        tasks = network.without_auxiliaries().heads
        quality = 4.0 if {"segmentation", "depth"} <= set(tasks) else 2.0
        return {t: {name: quality**s for name, s in METRICS[t].items()} for t in tasks}

    monkeypatch.setattr(training, "evaluate_dense", measured)
    compare = SceneCompareConfig(
        out=tmp_path,
        methods=("saal_e", "saal_w"),
        training=replace(config, tasks=THREE, primary=("depth",)),
    )
    compare_scenes(compare)
    all_transfers = ["segmentation->depth", "normals->depth"]
    assert settings_of(tmp_path, "saal_w-0")["self_auxiliaries"] == all_transfers
    assert settings_of(tmp_path, "saal_e-0")["self_auxiliaries"] == all_transfers[:1]


@pytest.mark.parametrize(
    ("change", "method", "error", "message"),
    [
        ({}, "magic", UnknownMethodError, "'magic'"),
        ({}, "gcs", MissingArgumentError, "primary"),
        ({}, "fixed", MissingArgumentError, "weight"),
        ({"tasks": ("depth",)}, "saal_w", MissingArgumentError, "self-auxiliaries"),
        ({"network": HALF}, "dwa+mgda_ub", UnsuitableObjectiveError, "sharing 'half'"),
        ({}, "saal_w+aligned_mtl_ub", UnsuitableObjectiveError, "sharing 'half'"),
        ({"tasks": ("depth", "smell")}, "equal", UnknownDenseTaskError, "'smell'"),
        ({"primary": ("noise",)}, "equal", ExperimentError, r"\['noise'\] are not among"),
        ({"batch_size": 11}, "equal", BatchSizeError, "1 to 10"),
        ({"weights": dict.fromkeys(THREE, 1.0)}, "dwa", ExperimentError, "given to 'fixed'"),
        ({"weight_rate": 1e-3}, "dwa", ExperimentError, "none of .* learns weights"),
        ({"tasks": ()}, "equal", ExperimentError, "at least one task"),
        (
            {"weights": {"segmentation": 1.0, "depth": -1.0, "normals": 1.0}},
            "fixed",
            MethodError,
            "finite, not negative and not all 0",
        ),
        ({"log_interval": 0}, "equal", ExperimentError, "log_interval is at least 1 step, not 0"),
        ({"checkpoint_interval": 0}, "equal", ExperimentError, "checkpoint_interval is at least"),
    ],
)
def test_a_comparison_that_cannot_end_well_does_not_begin(
    config, tmp_path, change, method, error, message
):
    compare = SceneCompareConfig(
        out=tmp_path / "out",
        methods=tuple(dict.fromkeys(("equal", method))),
        training=replace(config, **change),
    )
    with pytest.raises(error, match=message):
        compare_scenes(compare)
    assert not compare.out.exists()


def test_what_is_not_finite_is_null_in_files(config, tmp_path, monkeypatch):
    monkeypatch.setattr(
        training,
        "evaluate_dense",
        lambda *_: {"depth": {"absolute_error": 0.0, "relative_error": math.nan}},
    )
    alone = replace(config, tasks=("depth",))
    compare_scenes(SceneCompareConfig(out=tmp_path, training=alone))

    def read(file):
        return json.loads(file.read_text(), parse_constant=lambda name: pytest.fail(name))

    comparison = read(tmp_path / "comparison.json")
    assert comparison["values"]["equal"]["depth"]["relative_error"] is None
    assert comparison["delta"]["equal"] is None
    assert read(tmp_path / "runs" / "equal-0" / "result.json")["test"]["depth"] == {
        "absolute_error": 0.0,
        "relative_error": None,
    }


@pytest.mark.parametrize("helps", [True, False])
def test_saal_gets_the_transfers_that_an_enumeration_finds_helpful(
    config, tmp_path, monkeypatch, helps
):
    def measured(network, *_):
        """As if the other task always harmed depth, and helped normals or harmed them too."""
        tasks = network.without_auxiliaries().heads
        together = {"depth": 1.0, "normals": 4.0 if helps else 1.0}
        quality = together if len(tasks) > 1 else dict.fromkeys(tasks, 2.0)
        return {t: {name: quality[t] ** s for name, s in METRICS[t].items()} for t in tasks}

    tasks = ("depth", "normals")
    monkeypatch.setattr(training, "evaluate_dense", measured)
    compare = SceneCompareConfig(
        out=tmp_path, methods=("saal_e", "saal_w"), training=replace(config, tasks=tasks)
    )
    compare_scenes(compare)
    settings = {
        m: json.loads((tmp_path / "runs" / f"{m}-0" / "config.json").read_text())
        for m in compare.methods
    }
    both = ["depth->normals", "normals->depth"]
    assert settings["saal_w"]["self_auxiliaries"] == both
    assert settings["saal_e"]["network"]["sharing"] == "half"
    if helps:  # depth helps normals, and nothing helps depth
        assert settings["saal_e"]["self_auxiliaries"] == both[:1]
        assert set(settings["saal_e"]["weights"].values()) == {1}
    else:
        expected = {"depth": 1, "normals": 1, **dict.fromkeys(both, 0)}
        assert settings["saal_e"]["weights"] == expected


def test_a_comparison_of_nothing_is_refused(config, tmp_path):
    with pytest.raises(ExperimentError, match="at least one method"):
        compare_scenes(SceneCompareConfig(out=tmp_path, methods=(), training=config))


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"seeds": (0, 1, 0)}, r"\[0, 1, 0\] name \[0\] more than once"),
        ({"seeds": (0, -1)}, r"2\*\*63 - 1, not -1"),
        ({"methods": ("dwa", "dwa")}, r"name \['dwa'\] more than once"),
    ],
)
def test_what_is_no_training_of_its_own_is_refused(config, tmp_path, named, message):
    with pytest.raises(ExperimentError, match=message):
        compare_scenes(SceneCompareConfig(out=tmp_path / "out", training=config, **named))
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A collection of two tasks by two processes."""
    config = SceneCollectConfig(
        out=tmp_path_factory.mktemp("collected") / "scenes.npz",
        train=5,
        validation=2,
        test=1,
        size=16,
        tasks=("reach_target", "push_button"),
        workers=2,
    )
    collect_scenes(config)
    return config


def test_a_collection_holds_what_was_asked_for(collected):
    scenes = load_scenes(collected.out)
    assert {split: len(scenes.splits[split]) for split in SPLITS} == {
        "train": 5,
        "validation": 2,
        "test": 1,
    }
    assert scenes.size == 16
    images = np.concatenate([scenes.splits[split].rgb for split in SPLITS]).reshape(8, -1)
    assert len(np.unique(images, axis=0)) == 8


def test_a_collection_does_not_depend_on_who_renders(collected, tmp_path):
    alone = replace(collected, out=tmp_path / "alone.npz", workers=1)
    collect_scenes(alone)
    assert alone.out.read_bytes() == collected.out.read_bytes()


def test_what_was_collected_is_neither_rendered_again_nor_overwritten(collected, monkeypatch):
    monkeypatch.setattr(collection, "_render", lambda *_: pytest.fail("rendered again"))
    collect_scenes(collected)
    other = replace(collected, train=6, tasks=("reach_target",))
    message = (
        r"settings: tasks was \['reach_target', 'push_button'\], is \['reach_target'\]; "
        "train was 5, is 6; write to another file, or delete it"
    )
    with pytest.raises(DatasetMismatchError, match=message):
        collect_scenes(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 0}, "at least 1 image"),
        ({"size": 40}, "multiple of 16"),
        ({"tasks": ("stack_wine", "stack_wine")}, r"name \['stack_wine'\] more than once"),
        ({"seed": -1}, "not negative"),
        ({"tasks": ()}, "name a task"),
    ],
)
def test_a_collection_that_makes_no_sense_is_refused(tmp_path, change, message):
    with pytest.raises(ExperimentError, match=message):
        collect_scenes(replace(SceneCollectConfig(out=tmp_path / "x.npz"), **change))
