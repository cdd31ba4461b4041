"""How tasks on scenes relate, by every measure, and how well these agree."""

import json
import math
import re
import shutil
from dataclasses import replace
from itertools import permutations

import cv2
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robomtl.agents.dense import METRICS, ArchitectureError, DenseNetwork, DenseNetworkConfig
from robomtl.agents.dense.transfer import TransferNetwork
from robomtl.checkpoint import CheckpointError
from robomtl.data.scenes import CLASSES, save_scenes
from robomtl.exceptions import ExperimentError, RunFolderError
from robomtl.methods.rank_correlation import spearman
from robomtl.scenes import relationships, training
from robomtl.scenes.relationships import (
    ACTUAL,
    ANGLE,
    FORMS,
    Relationships,
    SceneRelationshipsConfig,
    compare_relationships,
    scene_relationships,
)
from robomtl.scenes.training import SceneTrainConfig, train_scenes
from tests.agents.dense.examples import SMALL, random_batch, random_scenes
from tests.robomtl.test_scenes import PowerCut, last, lines, same_bits

TASKS = ("segmentation", "depth", "normals", "noise")
SIZES = DenseNetworkConfig(widths=SMALL, decoder=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenes") / "scenes.npz"
    save_scenes(path, random_scenes())
    return path


@pytest.fixture(scope="module")
def config(data):
    return SceneTrainConfig(
        data=data,
        tasks=TASKS[:3],
        primary=("depth", "segmentation"),
        iterations=4,
        batch_size=3,
        checkpoint_interval=2,
        log_interval=1,
        affinity_interval=2,
        network=SIZES,
    )


@pytest.fixture(scope="module")
def related(config, tmp_path_factory):
    """A finished command, and what it returned."""
    training = replace(config, weight_rate=1e-2)
    command = SceneRelationshipsConfig(out=tmp_path_factory.mktemp("related"), training=training)
    return command, scene_relationships(command)


def test_every_measure_says_something_about_every_pair(related):
    command, found = related
    assert found.tasks == command.training.tasks
    assert list(found.matrices) == list(FORMS)
    for matrix in found.matrices.values():
        assert matrix.isnan().equal(torch.eye(3, dtype=torch.bool))
        assert matrix[~matrix.isnan()].unique().numel() > 2
    written = json.loads((command.out / "relationships.json").read_text())
    for name, matrix in found.matrices.items():
        for (s, source), (t, target) in permutations(enumerate(found.tasks), 2):
            assert written["relationships"][name][source][target] == matrix[s, t].item()
    assert written["correlations"] == pytest.approx(found.correlations, nan_ok=True)
    assert cv2.imread(str(command.out / "relationships.png")).std() > 5


def test_the_actual_relationship_is_what_pairs_gain_on_test_images(related, config, tmp_path):
    found = related[1]
    plain = replace(config, primary=(), affinity_interval=None)
    for (s, source), (t, target) in permutations(enumerate(found.tasks), 2):
        # In the order of all tasks, on which initialisation depends.
        pair = tuple(task for task in found.tasks if task in (source, target))
        name, sign = next(iter(METRICS[target].items()))
        alone, along = (
            train_scenes(replace(plain, tasks=tasks, primary=tasks), tmp_path / "+".join(tasks))[
                "test"
            ][target][name]
            for tasks in ((target,), pair)
        )
        expected = sign * (along - alone) / abs(alone)
        assert found.matrices[ACTUAL][s, t].item() == pytest.approx(expected, rel=1e-12)


def test_learned_weights_are_those_that_the_runs_end_with(related):
    command, found = related
    runs = command.out / "runs"
    omega = lines(runs / "saal_w-0")[-1]["weight"]
    for (s, source), (t, target) in permutations(enumerate(found.tasks), 2):
        assert found.matrices["learned omega"][s, t] == omega[f"{source}->{target}"]
        weights = lines(runs / f"auto_lambda-for-{target}-0")[-1]["weight"]
        assert found.matrices["learned lambda"][s, t] == weights[source]
        settings = json.loads((runs / f"auto_lambda-for-{target}-0" / "config.json").read_text())
        assert settings["primary"] == [target]


@pytest.fixture
def trained(monkeypatch):
    """Names of the runs that are trained from here on."""
    names = set()
    step = training._Run._step
    monkeypatch.setattr(
        training._Run, "_step", lambda run, *rest: names.add(run.out.name) or step(run, *rest)
    )
    return names


def test_the_same_folder_again_trains_nothing(related, trained, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    command, first = related
    again = scene_relationships(command)
    assert not trained
    assert same_bits(known(again.matrices), known(first.matrices))
    printed = capsys.readouterr().out
    assert "for segmentation" in printed
    assert all(name in printed for name in FORMS)


def test_runs_of_other_settings_are_found_before_any_is_trained(related, trained, tmp_path):
    command, _ = related
    other = replace(command.training, learning_rate=0.1)
    for run in (command.out / "runs").iterdir():
        out = tmp_path / run.name
        shutil.copytree(run, out / "runs" / run.name)
        message = re.escape(f"{run.name} holds a run with other settings")
        with pytest.raises(CheckpointError, match=message):
            scene_relationships(replace(command, out=out, training=other))
    assert not trained


def test_relationships_are_means_over_seeds(config, tmp_path, monkeypatch):
    def measured(_plan, seed, _interval):
        return {name: matrix(10 * seed + place, 3) for place, name in enumerate(FORMS)}

    monkeypatch.setattr(relationships, "_measure", measured)
    found = scene_relationships(
        SceneRelationshipsConfig(out=tmp_path, seeds=(4, 7), training=config)
    )
    for place, name in enumerate(FORMS):
        expected = (matrix(40 + place, 3) + matrix(70 + place, 3)) / 2
        torch.testing.assert_close(found.matrices[name], expected, equal_nan=True)


def known(values):
    """Numbers that can be compared, without NaN."""
    if isinstance(values, torch.Tensor):
        return values.nan_to_num(nan=1e9)
    if isinstance(values, list):
        return [known(value) for value in values]
    return {name: known(value) for name, value in values.items()}


def matrix(seed, size):
    values = torch.rand(size, size, generator=torch.Generator().manual_seed(seed)).double()
    return values.fill_diagonal_(torch.nan)


@given(st.integers(0, 10_000))
def test_correlations_are_of_the_sources_of_each_target_that_counts(seed):
    actual, estimate = matrix(seed, 4), matrix(seed + 1, 4)
    targets = TASKS[:3]
    found = compare_relationships(
        TASKS, targets, {ACTUAL: actual, "same": actual, ANGLE: actual, "estimate": estimate}
    )
    assert found.correlations["same"] == pytest.approx(1)
    assert found.correlations[ANGLE] == pytest.approx(-1)  # of angles, less is better
    by_target = {
        target: spearman(*(m[torch.arange(4) != t, t] for m in (estimate, actual)))
        for t, target in enumerate(targets)
    }
    assert found.by_target["estimate"] == pytest.approx(by_target)
    assert found.correlations["estimate"] == pytest.approx(sum(by_target.values()) / 3)


def test_measuring_affinities_changes_no_bit_of_a_training_and_is_resumed(
    config, tmp_path, monkeypatch
):
    norms = replace(SIZES, norm="batch")  # whose statistics a look ahead could disturb
    watched = replace(config, affinity_interval=1, network=norms)
    train_scenes(watched, tmp_path / "whole")
    train_scenes(replace(watched, affinity_interval=None), tmp_path / "unwatched")
    whole = last(tmp_path / "whole")
    assert len(whole["affinities"]["angles"]) == config.iterations
    for key, value in last(tmp_path / "unwatched").items():
        assert key == "settings" or same_bits(value, whole[key])

    def die(path, content):
        save(path, content)
        raise PowerCut

    save = training.save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", die)
        with pytest.raises(PowerCut):
            train_scenes(watched, tmp_path / "cut")
    train_scenes(watched, tmp_path / "cut")
    assert same_bits(known(last(tmp_path / "cut")["affinities"]), known(whole["affinities"]))
    texts = [(tmp_path / run / "affinities.json").read_text() for run in ("whole", "cut")]
    assert texts[0] == texts[1]
    angles = json.loads(texts[0])["angles"]
    assert 0 < angles["depth"]["normals"] == angles["normals"]["depth"] < math.pi


def test_training_and_validation_images_say_different_things(config, tmp_path):
    train_scenes(config, tmp_path)
    found = json.loads((tmp_path / "affinities.json").read_text())
    assert found["train"] != found["validation"]
    falls = [fall for row in found["train"].values() for fall in row.values()]
    assert len(falls) == 6
    assert all(0 < abs(fall) < 0.5 for fall in falls)


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_a_transfer_trains_all_but_the_encoder(config, tmp_path, norm):
    source = replace(config, tasks=("depth",), primary=(), network=replace(SIZES, norm=norm))
    train_scenes(source, tmp_path / "source")
    target = replace(source, tasks=("segmentation",), encoder=tmp_path / "source")
    train_scenes(target, tmp_path / "transfer")
    train_scenes(replace(target, iterations=1), tmp_path / "short")
    encoder, start, end = (last(tmp_path / n)["network"] for n in ("source", "short", "transfer"))
    # The transfer module stands behind the branch: branches.shared is a branch and convolutions.
    inside = {k.replace("branches.shared.", "branches.shared.0."): v for k, v in encoder.items()}
    for name, value in end.items():
        if name.startswith(("trunk.", "branches.shared.0.")):
            assert value.equal(inside[name])
        elif value.is_floating_point():
            assert not value.equal(start[name])
    convolutions = [k for k in end if k.startswith("branches.shared.1") and k.endswith("weight")]
    assert [end[k].shape for k in convolutions] == [(SMALL[1], SMALL[1], 3, 3)] * 2


@pytest.mark.parametrize("method", ["mgda_ub", "aligned_mtl_ub", "ial", "auto_lambda"])
def test_methods_of_the_representation_train_what_stands_behind_an_encoder(
    config, tmp_path, method
):
    source = replace(config, tasks=("depth",), primary=(), affinity_interval=None)
    train_scenes(source, tmp_path / "source")
    target = replace(
        source,
        method=method,
        tasks=TASKS[:3],
        primary=TASKS[:2],
        encoder=tmp_path / "source",
    )
    train_scenes(replace(target, iterations=1), tmp_path / "short")
    train_scenes(target, tmp_path / "run")
    start, end = (last(tmp_path / run)["network"] for run in ("short", "run"))
    assert all(end[name].equal(start[name]) for name in end if name.startswith("trunk."))
    behind = [name for name in end if name.startswith("branches.shared.1.")]
    assert behind
    assert not any(end[name].equal(start[name]) for name in behind)


def test_what_a_transfer_predicts_it_sees_through_the_other_networks_encoder():
    source, stranger = (DenseNetwork(("depth",), 4, SIZES) for _ in range(2))
    batch = random_batch()
    maps = []
    for encoder in (source, stranger):
        torch.manual_seed(0)
        network = TransferNetwork(("normals",), 4, SIZES, encoder.state_dict())
        maps.append(network(batch.image)["normals"])
        half, quarter = encoder.encode(batch.image, encoder.branches)["shared"]
        behind = network.branches["shared"][1](quarter)
        assert network.decode((half, behind), "normals").equal(maps[-1])
    assert not torch.allclose(*maps)


def test_a_transfer_is_interrupted_and_resumed_with_its_own_encoder_only(config, tmp_path):
    source = replace(config, tasks=("depth",), primary=(), affinity_interval=None)
    for name, seed in (("source", 0), ("other", 1)):
        train_scenes(replace(source, seed=seed), tmp_path / name)
    target = replace(source, tasks=("normals",), encoder=tmp_path / "source")
    expected = train_scenes(target, tmp_path / "run")
    (tmp_path / "source").rename(tmp_path / "moved")
    moved = replace(target, encoder=tmp_path / "moved")
    assert train_scenes(moved, tmp_path / "run") == expected
    with pytest.raises(CheckpointError, match="encoder was"):
        train_scenes(replace(target, encoder=tmp_path / "other"), tmp_path / "run")
    with pytest.raises(RunFolderError, match="train it first"):
        train_scenes(target, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"widths": (4, 8, 8, 16)}, "another architecture"), ({"sharing": "half"}, "must be 'full'")],
)
def test_an_encoder_that_does_not_fit_is_refused(change, message):
    encoder = DenseNetwork(("depth",), len(CLASSES), SIZES).state_dict()
    with pytest.raises(ArchitectureError, match=message):
        TransferNetwork(("normals",), len(CLASSES), replace(SIZES, **change), encoder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": TASKS[:2]}, "three tasks at least"),
        ({"primary": ("noise",)}, r"\['noise'\] are not among the tasks"),
        ({"affinity_interval": None}, "affinity_interval"),
        ({"affinity_interval": 0}, "at least 1 step, not 0"),
        ({"weights": dict.fromkeys(TASKS, 1.0)}, "leave `weights` out"),
    ],
)
def test_relationships_that_make_no_sense_are_refused(config, tmp_path, change, message):
    changed = replace(config, **change)
    with pytest.raises(ExperimentError, match=message):
        scene_relationships(SceneRelationshipsConfig(out=tmp_path, training=changed))
    assert not list(tmp_path.iterdir())


def test_one_seed_does_not_count_twice(config, tmp_path):
    twice = SceneRelationshipsConfig(out=tmp_path, seeds=(0, 0), training=config)
    with pytest.raises(ExperimentError, match="more than once"):
        scene_relationships(twice)
    assert not list(tmp_path.iterdir())


def test_correlations_without_a_meaning_are_null_and_never_the_best(tmp_path):
    correlations = {"first": math.nan, "second": 0.5, "third": 0.2}
    found = Relationships(
        tasks=TASKS,
        matrices={},
        correlations=correlations,
        by_target={name: {"depth": value} for name, value in correlations.items()},
    )
    styles = [row.style for row in relationships._table(found).rows]
    assert styles == [None, "bold", None]
    relationships._write(tmp_path / "found.json", found)
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["correlations"]["first"] is None
