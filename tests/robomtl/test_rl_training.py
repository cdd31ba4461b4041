"""`robomtl rl train` as a user runs it."""

import json
import math
import shutil
import sys
from dataclasses import replace

import pytest
import torch

from robomtl.agents.sac import CheckpointError as SACCheckpointError
from robomtl.checkpoint import CheckpointError
from robomtl.data.exceptions import DatasetInUseError
from robomtl.data.locking import FolderLock
from robomtl.envs import SimulatorError
from robomtl.envs.metaworld.fast_steps import FastSteps
from robomtl.lines import read_lines
from robomtl.rl import train_command, training
from robomtl.rl.training import train_rl
from tests.robomtl.rl_settings import OPTIONS, OVERRIDES, TASKS, TINY

PCGRAD = replace(TINY, method="pcgrad")
TIMES = ("steps_per_second", "versions")


class PowerCut(Exception):
    pass


pytestmark = pytest.mark.usefixtures("goal_cache")


@pytest.fixture(scope="module")
def run(tmp_path_factory, goal_cache):
    """A finished run."""
    out = tmp_path_factory.mktemp("run")
    train_rl(PCGRAD, out)
    return out


def without_times(line):
    return {name: value for name, value in line.items() if name not in TIMES}


def learned(out):
    """Everything that a run ends with, apart from how long it took."""
    networks = torch.load(out / "policy.pt", weights_only=True)["actor"]
    return (
        {
            name: value.tolist() if isinstance(value, torch.Tensor) else value
            for name, value in networks.items()
        },
        [without_times(line) for line in read_lines(out / "metrics.jsonl")],
        read_lines(out / "evaluations.jsonl"),
        without_times(json.loads((out / "result.json").read_text())),
    )


@pytest.mark.parametrize(("protocol", "method"), [("lite", "aligned_mtl"), ("paper", "equal")])
def test_an_interrupted_run_ends_with_the_bits_of_one_that_was_not(
    protocol, method, monkeypatch, tmp_path
):
    config = replace(TINY, protocol=protocol, method=method, seed=3)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_rl(config, whole)
    original = training._Progress._on_step

    def on_step(self):
        if self._steps > 47 * len(TASKS):
            raise PowerCut
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(training._Progress, "_on_step", on_step)
        with pytest.raises(PowerCut):
            train_rl(config, cut)
    assert not (cut / "result.json").exists()
    train_rl(config, cut)
    assert learned(cut) == learned(whole)


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    train_rl(TINY, one)
    train_rl(replace(TINY, workers=2), two)
    assert learned(one) == learned(two)


def test_the_result_says_by_what_protocol_and_what_is_modified(printed, run):
    shown = printed("rl", "train", "--method", "pcgrad", *OPTIONS, "--out", run)
    assert "lite (modified)" in shown
    assert shown.count("width 8 (was 256)") == 2
    result = json.loads((run / "result.json").read_text())
    card = result["card"]
    assert card["protocol"] == "lite"
    assert card["modified"]["width"] == [256, 8]
    assert card["modified"]["steps_per_task"] == [60_000, 80]
    assert card["modified"]["tasks"] == [10, list(TASKS)]
    assert card["steps"] == result["steps"] == 160
    assert set(result["final"]["success"]) == set(TASKS)
    assert result["max_over_time"]["step"] in (40, 80, 120, 160)


def test_progress_counts_the_steps_that_are_asked_for(printed, tmp_path):
    assert "run: 160 of 160, " in printed("rl", "train", *OPTIONS, "--out", tmp_path / "run")


def test_a_run_is_kept_in_a_folder_named_after_it_unless_told_otherwise(printed, monkeypatch, run):
    result = json.loads((run / "result.json").read_text())
    went = []
    monkeypatch.setattr(train_command, "train_rl", lambda _, out: went.append(out) or result)
    for options in (
        (), ("--seed", 1), ("--method", "pcgrad"), ("--protocol", "paper"), ("--tasks", *TASKS),
        ("--tasks", TASKS[0]), ("--out", "here"),
    ):  # fmt: skip
        printed("rl", "train", *options)
    assert list(map(str, went)) == [
        "runs/rl/lite-equal-0",
        "runs/rl/lite-equal-1",
        "runs/rl/lite-pcgrad-0",
        "runs/rl/paper-equal-0",
        "runs/rl/lite-equal-0-reach-v3-drawer-close-v3",
        "runs/rl/lite-equal-0-reach-v3",
        "here",
    ]
    assert "runs/rl/PROTOCOL-METHOD-SEED" in printed("rl", "train", "--help")


def test_evaluations_and_gradient_conflict_are_written_over_time(run):
    evaluations = read_lines(run / "evaluations.jsonl")
    assert [line["step"] for line in evaluations] == [40, 80, 120, 160]
    learning = [line for line in read_lines(run / "metrics.jsonl") if line["step"] > 40]
    assert len(learning) >= 3
    for line in learning:
        assert set(line["success"]) == set(TASKS)
        for part in ("critic", "actor"):
            condition = line["train"][f"{part}_condition_number"]
            assert condition is None or condition >= 1
            assert -1 <= line["train"][f"{part}_lowest_cosine"] <= 1
    assert list((run / "tensorboard").iterdir())


def test_a_finished_run_is_not_trained_again(run):
    before = (run / "policy.pt").stat().st_mtime_ns
    assert train_rl(PCGRAD, run) == json.loads((run / "result.json").read_text())
    assert (run / "policy.pt").stat().st_mtime_ns == before


def test_one_task_alone_is_plain_sac(tmp_path):
    result = train_rl(replace(TINY, tasks=TASKS[:1]), tmp_path)
    assert list(result["final"]["success"]) == [TASKS[0]]
    assert result["steps"] == 160
    assert "critic_cosine" not in read_lines(tmp_path / "metrics.jsonl")[-1]["train"]


def test_a_run_with_other_settings_is_refused(run):
    for other, what in (
        (TINY, "method was pcgrad, is equal"),
        (replace(PCGRAD, protocol="paper"), "protocol was lite, is paper"),
        (replace(PCGRAD, seed=1), "seed was 0, is 1"),
        (
            replace(PCGRAD, overrides=replace(OVERRIDES, network="multi_head")),
            "network was one_hot",
        ),
    ):
        with pytest.raises(CheckpointError, match=what):
            train_rl(other, run)


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(refused, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"data": "keyframes.zarr", "method": "equal", "seed": 0}))
    message = refused("rl", "train", *OPTIONS, "--out", tmp_path)
    assert message == (
        f"error: {tmp_path} holds something else than a run of `robomtl rl train`: choose another "
        "folder with --out\n"
    )
    assert list(tmp_path.iterdir()) == [config]


def test_a_run_that_was_killed_before_its_result_gets_it_and_no_speed(run, tmp_path):
    cut = tmp_path / "cut"
    shutil.copytree(run, cut, ignore=shutil.ignore_patterns("result.json"))
    assert train_rl(PCGRAD, cut)["steps_per_second"] is None
    assert learned(cut) == learned(run)


def test_a_run_that_another_process_finishes_meanwhile_is_not_touched(monkeypatch, run, tmp_path):
    def lock(out):
        shutil.copytree(run, out, dirs_exist_ok=True)
        return FolderLock(out)

    monkeypatch.setattr(training, "FolderLock", lock)
    assert train_rl(PCGRAD, tmp_path) == json.loads((run / "result.json").read_text())
    for name in ("policy.pt", "result.json"):
        assert (tmp_path / name).stat().st_mtime_ns == (run / name).stat().st_mtime_ns


@pytest.fixture
def environments(monkeypatch):
    """Those that runs have made, and those of them that are closed."""
    made, closed = [], []

    def recorded(make):
        def make_and_record(*arguments):
            env = make(*arguments)
            close = env.close
            env.close = lambda: (closed.append(env), close())
            made.append(env)
            return env

        return make_and_record

    for name in ("training_env", "evaluation_env"):
        monkeypatch.setattr(training, name, recorded(getattr(training, name)))
    return made, closed


def test_two_processes_do_not_train_into_one_folder(environments, tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(DatasetInUseError):
        train_rl(TINY, tmp_path)
    lock.release()
    assert environments == ([], [])


def test_a_run_that_cannot_begin_closes_what_it_opened(environments, tmp_path):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "state.pt").write_bytes(b"no checkpoint")
    with pytest.raises(SACCheckpointError, match=r"state\.pt"):
        train_rl(TINY, tmp_path)
    made, closed = environments
    assert len(made) == 2
    assert closed == made[::-1]
    FolderLock(tmp_path).release()


def test_a_reward_that_is_not_a_number_ends_the_run_and_names_the_task(monkeypatch, tmp_path):
    def evaluate_state(self, observation, action):
        reward = math.nan if self.curr_path_length == 7 else 0.0
        return reward, {"success": 0.0}

    monkeypatch.setattr(FastSteps, "evaluate_state", evaluate_state, raising=False)
    with pytest.raises(SimulatorError, match=r"reach-v3 gave reward nan .* at step 7"):
        train_rl(TINY, tmp_path)
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--protocol light", "paper, metaworld+, lite"),
        ("--tasks reach", "unknown task of MT10 'reach'; valid: reach-v3"),
        ("--method adam", "'adam'"),
        ("--method aligned_mtl_ub", "'aligned_mtl_ub'"),
        ("--checkpoint-interval 0", "checkpoint_interval is at least 1 step, not 0"),
        ("--workers 0", "workers must be at least 1, not 0"),
        ("--seed -1", "within 0 to 2**32 - 1, not -1"),
        ("--seed 4294967296", "within 0 to 2**32 - 1, not 4294967296"),
        ("--steps 0", "steps must be at least 1, not 0"),
        ("--goals 0", "goals must be at least 1, not 0"),
        ("--width 0", "width must be 1 or more, not 0"),
        ("--learning-rate -1", "learning_rate must be positive, not -1.0"),
        ("--learning-rate nan", "learning_rate must be positive, not nan"),
        ("--gamma 1.5", "gamma must be from 0 to 1, not 1.5"),
        ("--gamma nan", "gamma must be from 0 to 1, not nan"),
        ("--clip inf", "clip must be positive and finite"),
    ],
)
def test_wrong_names_and_numbers_are_refused_and_leave_nothing(options, message, refused, tmp_path):
    given = (*OPTIONS, *options.split())
    assert message in refused("rl", "train", *given, "--out", tmp_path / "runs" / "run")
    assert not list(tmp_path.iterdir())


def test_without_ray_nothing_is_made_for_it(refused, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    options = (*OPTIONS, "--transport", "ray", "--out", tmp_path / "run")
    assert "pip install 'robomtl[ray]'" in refused("rl", "train", *options)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_run_continues_with_its_replay_and_counters(robomtl, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    options = [*OPTIONS, "--method", "aligned_mtl", "--steps", 1000]
    state = killed / "checkpoint" / "state.pt"
    robomtl.kill("rl", "train", *options, "--out", killed, when=state.exists)
    assert not (killed / "result.json").exists()
    robomtl.run("rl", "train", *options, "--out", killed)
    robomtl.run("rl", "train", *options, "--out", whole)
    assert learned(killed) == learned(whole)
