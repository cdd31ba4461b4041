import json
import shutil

import pytest
import torch

from robomtl.agents import KeyframePolicy
from robomtl.confidence import wilson_interval
from robomtl.episode import Episode
from robomtl.evaluation import FIRST_SEED, EvaluateConfig, newest_summary, planned, summarise


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


def test_other_policies_and_other_versions_start_their_own_episodes(printed, smoke, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(smoke / "run" / "checkpoints", run / "checkpoints")
    options = ("evaluate", run, "--episodes", 1, "--tasks", "reach_target", "--workers", 1)
    printed(*options)
    policy = KeyframePolicy.load(run / "checkpoints" / "policy.pt")
    with torch.no_grad():
        next(policy.network.parameters()).add_(1)
    policy.save(run / "checkpoints" / "policy.pt")
    assert newest_summary(run) is None
    printed(*options)
    logs = list((run / "evaluations").glob("*/episodes.jsonl"))
    assert [len(log.read_text().splitlines()) for log in logs] == [1, 1]
