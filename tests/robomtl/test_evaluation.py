import json
import shutil
from pathlib import Path

import pytest
import torch

from robomtl import evaluation
from robomtl.agents import KeyframePolicy
from robomtl.confidence import wilson_interval
from robomtl.episode import Episode
from robomtl.evaluation import (
    FIRST_SEED,
    EvaluateConfig,
    evaluate,
    newest_summary,
    planned,
    summarise,
)
from robomtl.exceptions import JobError


def config(**changes):
    return EvaluateConfig(**{"run": "unused", "episodes": 3, "workers": 1} | changes)


def test_episodes_depend_on_the_seed_alone():
    keys = planned(config(), ("push_button", "reach_target"))
    assert keys == planned(config(workers=2, run="other"), ("push_button", "reach_target"))
    assert [key.seed for key in keys] == [FIRST_SEED + i for i in (0, 1, 2)] * 2
    assert not set(keys) & set(planned(config(seed=1), ("push_button", "reach_target")))


def test_more_episodes_are_the_same_ones_and_then_others():
    assert set(planned(config(), ("a",))) < set(planned(config(episodes=9), ("a",)))


def test_the_summary_counts_each_task_by_itself():
    def episode(task, seed, success, error=None):
        return Episode(task, 0, seed, success, steps=2, error=error)

    summary = summarise(
        [
            *(episode("a", i, success=True) for i in range(4)),
            *(episode("b", i, success=i == 0) for i in range(3)),
            episode("b", 3, success=False, error="UnreachablePoseError"),
        ]
    )
    assert summary["success"] == {"a": 1.0, "b": 0.25}
    assert summary["mean"] == 0.625
    assert summary["episodes"] == 4
    assert summary["confidence"] == {"a": wilson_interval(4, 4), "b": wilson_interval(1, 4)}
    assert summary["errors"] == {"a": {}, "b": {"UnreachablePoseError": 1}}


def test_the_json_file_says_what_was_found_and_how(printed, smoke, tmp_path):
    file = tmp_path / "success.json"
    options = ("--episodes", 3, "--seed", 1, "--workers", 1, "--json", file)
    text = printed("evaluate", smoke / "run", *options)
    assert "reach_target" in text
    summary = json.loads(file.read_text())
    assert set(summary["success"]) == {"reach_target", "push_button"}
    assert summary["mean"] == pytest.approx(sum(summary["success"].values()) / 2)
    assert f" {summary['mean']:.3f} " in text
    assert summary["episodes"] == 3
    assert summary["seed"] == 1
    assert set(summary["max_steps"]) == set(summary["success"]) == set(summary["confidence"])
    assert len(summary["policy"]["digest"]) >= 12
    assert {"python", "torch", "mujoco", "robomtl"} <= set(summary["versions"])


def copied(smoke, folder):
    """A run that nobody has evaluated."""
    shutil.copytree(smoke / "run" / "checkpoints", folder / "checkpoints")
    return folder


def test_other_policies_and_other_versions_start_their_own_episodes(
    printed, smoke, tmp_path, monkeypatch
):
    run = copied(smoke, tmp_path / "run")
    options = ("evaluate", run, "--episodes", 1, "--tasks", "reach_target", "--workers", 1)
    printed(*options)
    policy = KeyframePolicy.load(run / "checkpoints" / "policy.pt")
    with torch.no_grad():
        next(policy.network.parameters()).add_(1)
    policy.save(run / "checkpoints" / "policy.pt")
    assert newest_summary(run) is None
    printed(*options)
    monkeypatch.setattr(evaluation, "versions", lambda: {"torch": "another"})
    printed(*options)
    logs = list((run / "evaluations").glob("*/episodes.jsonl"))
    assert [len(log.read_text().splitlines()) for log in logs] == [1, 1, 1]


def test_a_smaller_evaluation_takes_nothing_from_the_summary(printed, smoke, tmp_path):
    run, file = copied(smoke, tmp_path / "run"), tmp_path / "success.json"
    options = ("evaluate", run, "--workers", 1, "--json", file)
    printed(*options, "--episodes", 2)
    whole = newest_summary(run)
    printed(*options, "--episodes", 1, "--tasks", "reach_target")
    assert newest_summary(run) == whole
    asked = json.loads(file.read_text())
    assert list(asked["success"]) == ["reach_target"]
    assert asked["episodes"] == 1
    printed(*options, "--episodes", 3, "--tasks", "reach_target")
    wider = newest_summary(run)
    assert wider["success"]["push_button"] == whole["success"]["push_button"]
    assert (
        wider["confidence"]["reach_target"]
        == json.loads(file.read_text())["confidence"]["reach_target"]
    )


def test_a_policy_that_training_replaces_meanwhile_is_not_taken_for_the_old_one(
    smoke, tmp_path, monkeypatch
):
    run = copied(smoke, tmp_path / "run")

    def read_and_replaced(path):
        """Read the policy, and write another one."""
        monkeypatch.undo()
        content = path.read_bytes()
        policy = KeyframePolicy.load(path)
        with torch.no_grad():
            next(policy.network.parameters()).add_(1)
        policy.save(path)
        return content

    monkeypatch.setattr(Path, "read_bytes", read_and_replaced)
    with pytest.raises(JobError, match="training has replaced the policy"):
        evaluate(config(run=run, episodes=1))
