"""A power cut in the middle of a command loses nothing: running it again completes the work."""

import json
import signal
import subprocess
import sys
import time
import warnings

import numpy as np

from robomtl import envs
from robomtl.data import DataError, DemoKey, DemoStore, IncompleteDatasetWarning, KeyframeDataset


def test_a_killed_collection_resumes_without_losing_a_demo(robomtl, tmp_path):
    store = DemoStore(tmp_path / "demos")
    tasks = ("reach_target", "push_button")
    command = ("collect", "--out", store.path, "--tasks", *tasks, "--demos-per-task", 25)
    robomtl.kill(*command, when=lambda: len(store) >= 5)
    before = files(store)
    assert 5 <= len(before) < 50
    assert len(list(store)) == len(before)  # every one of them is readable

    robomtl.run(*command)
    assert set(store.keys()) == {DemoKey(task, 0, seed) for task in tasks for seed in range(25)}
    assert files(store).items() >= before.items()
    for task in tasks:
        again = envs.make(task, cameras=()).collect_demo(24)
        assert store.load(task, 0, 24).digest() == again.digest()


def test_ctrl_c_ends_a_collection_and_leaves_what_was_collected(tmp_path):
    store = DemoStore(tmp_path)
    command = [sys.executable, "-m", "robomtl", "collect", "--out", tmp_path, "--workers", "2"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Shells start background jobs, and thus perhaps this test, deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while len(store) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "same command continues" in message
    assert "Traceback" not in message
    assert len(list(store)) == len(store) < 150


def files(store):
    """Every demonstration's file, with when it was written."""
    return {path: path.stat().st_mtime_ns for path in store.path.rglob("*.npz")}


def test_a_killed_keyframing_resumes_to_the_same_dataset(robomtl, tmp_path):
    reach = ("--tasks", "reach_target", "--demos-per-task", 30)
    robomtl.run("collect", "--out", tmp_path / "demos", *reach)
    command = ("keyframes", "--demos", tmp_path / "demos", "--image-size", 64, "--every", 5)
    whole, killed = tmp_path / "whole.zarr", tmp_path / "killed.zarr"
    robomtl.run(*command, "--out", whole)

    robomtl.kill(*command, "--out", killed, when=lambda: episodes(killed) >= 3)
    assert episodes(killed) < 30
    robomtl.run(*command, "--out", killed, "--workers", 1)
    expected, found = KeyframeDataset(whole).load(), KeyframeDataset(killed).load()
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(expected[name], found[name], err_msg=name)


def episodes(path):
    """How many episodes a dataset has that may be only half there."""
    try:
        with warnings.catch_warnings(action="ignore", category=IncompleteDatasetWarning):
            return len(KeyframeDataset(path).keys)
    except (DataError, OSError, KeyError):
        return 0


def test_a_killed_evaluation_resumes_without_losing_an_episode(robomtl, smoke, tmp_path):
    command = ("evaluate", smoke / "run", "--episodes", 10, "--seed", 7)

    def lines():
        logs = list((smoke / "run" / "evaluations").glob("*-seed7-*/episodes.jsonl"))
        return logs[0].read_text().splitlines(keepends=True) if logs else []

    robomtl.kill(*command, when=lambda: len(lines()) >= 4)
    before = lines()
    assert 4 <= len(before) < 20
    robomtl.run(*command, "--json", tmp_path / "success.json")
    assert lines()[: len(before) - 1] == before[:-1]  # the last may have been half-written
    seeds = [(json.loads(line)["task"], json.loads(line)["seed"]) for line in lines()]
    assert len(seeds) == len(set(seeds)) == 20
    assert json.loads((tmp_path / "success.json").read_text())["episodes"] == 10
