import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robomtl import devices, progress, training
from robomtl.agents import KeyframePolicy, NetworkConfig
from robomtl.agents.sampling import Uniform
from robomtl.checkpoint import CheckpointError, load_checkpoint
from robomtl.data.exceptions import DatasetInUseError
from robomtl.data.locking import FolderLock
from robomtl.exceptions import ExperimentError, RunFolderError
from robomtl.methods import NonFiniteLossError, UnknownMethodError
from robomtl.training import TrainConfig, train
from tests.agents.toy import CAMERAS, TASKS, write_toy_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "keyframes"
    write_toy_dataset(path, 4, size=32)
    return path


@pytest.fixture
def config(data):
    return TrainConfig(
        data=data,
        iterations=6,
        batch_size=4,
        checkpoint_interval=2,
        log_interval=1,
        network=NetworkConfig(widths=(8, 8, 16, 16), crop=16),
    )


def test_a_run_says_in_which_format_it_computed_and_continues_in_no_other(
    config, tmp_path, monkeypatch
):
    for units, precision in ((True, "bf16"), (False, "f32")):
        monkeypatch.setattr(devices, "computes_in_bfloat16", lambda units=units: units)
        train(config, tmp_path / precision)
        settings = json.loads((tmp_path / precision / "config.json").read_text())
        assert settings["precision"] == precision
    with pytest.raises(CheckpointError, match="precision was bf16, is f32"):
        train(config, tmp_path / "bf16")
    train(replace(config, precision="bf16"), tmp_path / "bf16")


def same_bits(one, two):
    """Whether two checkpoints hold the same numbers everywhere."""
    if isinstance(one, torch.Tensor):
        alike = (one == two) | (one.isnan() & two.isnan())
        return one.shape == two.shape and bool(alike.all())
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same_bits(one[k], two[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same_bits, one, two))
    return one == two


def last(out):
    return load_checkpoint(out / "checkpoints" / "last.pt")


class PowerCut(Exception):
    pass


def interrupt_at(iteration):
    def callback(now, policy):
        if now == iteration:
            raise PowerCut

    return callback


def test_a_run_leaves_a_policy_its_config_metrics_and_checkpoints(config, tmp_path):
    path = train(config, tmp_path / "run")
    assert path == tmp_path / "run" / "checkpoints" / "policy.pt"
    policy = KeyframePolicy.load(path)
    assert policy.tasks == TASKS
    assert policy.cameras == CAMERAS
    assert policy.network.stages == (3, 3)
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert saved["iterations"] == 6
    assert saved["tasks"] == list(TASKS)
    lines = [json.loads(x) for x in (tmp_path / "run" / "metrics.jsonl").open()]
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert set(lines[0]["loss"]) == set(TASKS)
    assert 0 <= lines[0]["data_wait"] <= 1
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_a_log_says_how_far_a_run_is(config, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    train(config, tmp_path / "run")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(", ")[0] for line in lines] == [f"training: {n} of 6" for n in range(1, 7)]
    assert all(line.split(", ")[1].startswith("loss ") for line in lines)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_an_interrupted_run_resumes_to_the_same_bits(config, tmp_path, schedule):
    config = replace(config, schedule=schedule)
    train(config, tmp_path / "whole")
    with pytest.raises(PowerCut):
        train(config, tmp_path / "cut", interrupt_at(2))
    assert last(tmp_path / "cut")["iteration"] == 2
    train(config, tmp_path / "cut")
    assert same_bits(last(tmp_path / "cut"), last(tmp_path / "whole"))
    one, two = (
        KeyframePolicy.load(tmp_path / run / "checkpoints" / "policy.pt").network.state_dict()
        for run in ("whole", "cut")
    )
    assert same_bits(one, two)


def test_a_damaged_line_of_metrics_is_named_and_nothing_lost(config, tmp_path):
    train(replace(config, iterations=4), tmp_path)
    path = tmp_path / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "{]\n", *lines[2:]]))
    before = path.read_text()
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl, line 2 is damaged"):
        train(replace(config, iterations=4), tmp_path)
    assert path.read_text() == before


def test_a_folder_is_trained_into_by_one_process_at_a_time(config, tmp_path):
    with FolderLock(tmp_path), pytest.raises(DatasetInUseError, match="being written to already"):
        train(config, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_metrics_are_cut_loses_no_line(config, tmp_path, monkeypatch):
    with pytest.raises(PowerCut):
        train(config, tmp_path, interrupt_at(4))
    path = tmp_path / "metrics.jsonl"
    with path.open("a") as file:
        file.write('{"iteration": 5}\n')
    before = path.read_text()

    really_replace = os.replace

    def killed(source, target):
        if Path(target) == path:
            raise PowerCut
        really_replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(PowerCut):
        train(config, tmp_path)
    assert path.read_text() == before


def test_no_run_trains_on_the_batches_that_another_one_looks_ahead_on(config, tmp_path):
    def states(batches):
        return {tuple(batches.draw(i, Uniform()).state.tolist()) for i in range(4)}

    runs = [
        training._Run(replace(config, seed=seed), tmp_path / str(seed))
        for seed in (0, 1, 2, 2**32 - 1)
    ]
    trained, ahead = (
        set.union(*(states(getattr(run, name)) for run in runs)) for name in ("batches", "held_out")
    )
    assert len(trained) == len(ahead) == 16
    assert not trained & ahead


def test_a_resumed_run_logs_every_iteration_once(config, tmp_path):
    with pytest.raises(PowerCut):
        train(config, tmp_path, interrupt_at(4))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 5}\n{"iterat')  # what a kill between checkpoints leaves behind
    train(config, tmp_path)
    lines = [json.loads(x) for x in (tmp_path / "metrics.jsonl").open()]
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all("loss" in line for line in lines)


def test_a_killed_run_resumes_to_the_same_bits(config, tmp_path):
    config = replace(config, iterations=40)
    train(config, tmp_path / "whole")
    script = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from robomtl.agents import NetworkConfig\n"
        "from robomtl.training import TrainConfig, train\n"
        f"train(TrainConfig(data=Path({str(config.data)!r}), iterations=40, batch_size=4,"
        " checkpoint_interval=2, log_interval=1,"
        " network=NetworkConfig(widths=(8, 8, 16, 16), crop=16)),"
        f" Path({str(tmp_path / 'cut')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "cut" / "checkpoints" / "last.pt"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 2 <= last(tmp_path / "cut")["iteration"] < 40
    train(config, tmp_path / "cut")
    assert same_bits(last(tmp_path / "cut"), last(tmp_path / "whole"))


def test_a_finished_run_stays_as_it_is(config, tmp_path):
    train(config, tmp_path)
    before = last(tmp_path)
    train(config, tmp_path)
    assert same_bits(before, last(tmp_path))


def test_equal_seeds_give_equal_policies_and_other_seeds_others(config, tmp_path):
    for run, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(replace(config, seed=seed, iterations=2), tmp_path / run)
    networks = {run: last(tmp_path / run)["network"] for run in "abc"}
    assert same_bits(networks["a"], networks["b"])
    assert not same_bits(networks["a"], networks["c"])


def test_some_tasks_alone_can_be_trained(config, tmp_path):
    path = train(replace(config, tasks=("grasp_bar",), iterations=2), tmp_path)
    assert KeyframePolicy.load(path).tasks == ("grasp_bar",)


def test_a_folder_of_a_run_with_other_settings_is_refused_by_difference(config, tmp_path):
    train(replace(config, iterations=2), tmp_path)
    before = last(tmp_path)
    with pytest.raises(CheckpointError, match=r"learning_rate was 0\.001, is 0\.01"):
        train(replace(config, iterations=2, learning_rate=0.01), tmp_path)
    assert same_bits(before, last(tmp_path))


def test_a_run_goes_on_with_its_own_data_wherever_they_are(config, tmp_path):
    cut = replace(config, iterations=4)
    with pytest.raises(PowerCut):
        train(cut, tmp_path / "run", interrupt_at(2))
    shutil.copytree(config.data, tmp_path / "moved")
    write_toy_dataset(tmp_path / "others", 4, size=48)
    with pytest.raises(CheckpointError, match=r"image_size was 32, is 48"):
        train(replace(cut, data=tmp_path / "others"), tmp_path / "run")
    write_toy_dataset(tmp_path / "later", 4, size=32, seed=1)
    with pytest.raises(CheckpointError, match=r"demonstrations was \w+, is \w+"):
        train(replace(cut, data=tmp_path / "later"), tmp_path / "run")
    train(replace(cut, data=tmp_path / "moved"), tmp_path / "run")
    assert last(tmp_path / "run")["iteration"] == 4


def test_a_damaged_checkpoint_stops_the_run_and_says_what_to_do(config, tmp_path):
    train(replace(config, iterations=2), tmp_path)
    path = tmp_path / "checkpoints" / "last.pt"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(CheckpointError, match=r"last\.pt.*Delete it"):
        train(config, tmp_path)


def test_a_nan_in_the_data_names_task_and_step_and_keeps_the_last_checkpoint(
    config, tmp_path, monkeypatch
):
    train(replace(config, iterations=2), tmp_path / "good")

    class Poisoned(training.KeyframeDataset):
        def load(self):
            data = super().load()
            for camera in CAMERAS:
                data[f"{camera}_depth"][data["task"] == 1] = np.nan
            return data

    monkeypatch.setattr(training, "KeyframeDataset", Poisoned)
    with pytest.raises(NonFiniteLossError, match=r"step 0.*grasp_bar") as caught:
        train(config, tmp_path / "bad")
    assert list(caught.value.losses) == ["grasp_bar"]
    assert not (tmp_path / "bad" / "checkpoints" / "last.pt").exists()


@pytest.mark.parametrize("name", ["iterations", "checkpoint_interval", "log_interval"])
def test_a_number_of_no_steps_is_refused_before_anything_is_written(config, tmp_path, name):
    with pytest.raises(ExperimentError, match=f"{name} is at least 1 step, not 0"):
        train(replace(config, **{name: 0}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_number_that_is_no_seed_is_refused_before_anything_is_written(config, tmp_path, seed):
    with pytest.raises(ExperimentError, match=f"seed must be within 0 to .*, not {seed}"):
        train(replace(config, seed=seed), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_method_is_refused_before_anything_is_written(config, tmp_path):
    with pytest.raises(UnknownMethodError, match="equal"):
        train(replace(config, method="magic"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
