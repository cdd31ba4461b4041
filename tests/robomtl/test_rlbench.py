"""The commands from collect to report with RLBench as the simulator. The fake stands in for it."""

import json
import re

import pytest

from robomtl.data import DemoStore, KeyframeDataset
from robomtl.evaluation import newest_summary
from robomtl.report.write import _filmed
from tests.fakes.installed import rlbench

__all__ = ["rlbench"]

TASKS = ("reach_target", "take_lid_off_saucepan")
RLBENCH = ("--simulator", "rlbench", "--workers", 1)
IMAGES = ("--cameras", "left_shoulder", "front", "--image-size", 32)


@pytest.fixture
def demos(rlbench, printed, tmp_path):
    out = tmp_path / "demos"
    printed(*("collect", *RLBENCH, *IMAGES, "--tasks", *TASKS, "--demos-per-task", 2, "--out", out))
    return out


def test_demonstrations_hold_the_images_that_were_asked_for(demos):
    store = DemoStore(demos)
    assert [demo.task for demo in store] == sorted(TASKS * 2)
    for demo in store:
        images = {name for name in demo.columns if name.endswith(("_rgb", "_depth"))}
        assert images == {
            f"{c}_{kind}" for c in ("left_shoulder", "front") for kind in ("rgb", "depth")
        }
        assert demo.column("front_rgb").shape[1:] == (32, 32, 3)
        assert demo.states is None


def test_a_policy_is_collected_for_trained_evaluated_and_reported(demos, printed, tmp_path):
    data, run = tmp_path / "keyframes.zarr", tmp_path / "run"
    printed("keyframes", "--demos", demos, "--out", data, *IMAGES, "--workers", 1)
    dataset = KeyframeDataset(data)
    assert dataset.tasks == TASKS
    assert [dataset.stages(task) for task in TASKS] == [1, 3]
    training = ("--iterations", 20, "--batch-size", 4, "--log-interval", 10)
    printed("train", "--data", data, "--out", run, *training)

    told = printed("evaluate", run, *RLBENCH, "--episodes", 2)
    assert all(task in told for task in TASKS)
    (folder,) = (run / "evaluations").iterdir()
    assert folder.name.startswith("rlbench-variation0-seed0-")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary == newest_summary(run)
    assert summary["simulator"] == "rlbench"
    assert summary["max_steps"] == dict.fromkeys(TASKS, 25)
    assert (summary["versions"]["rlbench"], summary["versions"]["pyrep"]) == ("1.2.0", "4.1.0.3")
    assert len((folder / "episodes.jsonl").read_text().splitlines()) == 4

    printed("report", run, "--workers", 1)
    page = (run / "report.html").read_text()
    assert re.search(r"2 unseen episodes per task \(rlbench,\s+variation 0", page)
    assert "No pictures of reach_target, take_lid_off_saucepan" in page


def test_only_what_the_tabletop_can_show_is_filmed():
    def filmed(summary):
        return [key.task for key in _filmed(TASKS, summary)]

    assert filmed(None) == ["reach_target"]
    summary = {"success": {}}  # of times when there were no other simulators
    assert filmed(summary) == ["reach_target"]
    assert filmed({**summary, "simulator": "tabletop"}) == ["reach_target"]
    assert filmed({**summary, "simulator": "rlbench"}) == []


def test_what_is_there_is_not_collected_again(demos, printed):
    before = {path: path.stat().st_mtime_ns for path in demos.rglob("*.npz")}
    options = (*RLBENCH, *IMAGES, "--tasks", "reach_target", "--demos-per-task", 3)
    printed("collect", *options, "--out", demos)
    after = {path: path.stat().st_mtime_ns for path in demos.rglob("*.npz")}
    assert len(after) == len(before) + 1
    assert before.items() < after.items()


def test_a_folder_holds_demonstrations_of_one_kind(demos, refused, printed, tmp_path):
    task = ("--tasks", "reach_target", "--demos-per-task", 3, "--workers", 1)
    message = refused("collect", *task, "--out", demos)
    assert "simulator rlbench with cameras ['left_shoulder', 'front'], image_size 32" in message
    assert "not of simulator tabletop" in message
    larger = (*RLBENCH, "--cameras", "left_shoulder", "front", "--image-size", 48)
    assert "image_size 48" in refused("collect", *task, *larger, "--out", demos)
    printed("collect", *task, "--out", tmp_path / "tabletop")
    message = refused("collect", *task, *RLBENCH, *IMAGES, "--out", tmp_path / "tabletop")
    assert "demonstrations of simulator tabletop, not of simulator rlbench" in message


def test_each_worker_has_its_own_simulator(rlbench, robomtl, tmp_path):
    options = ("--simulator", "rlbench", *IMAGES, "--tasks", *TASKS, "--demos-per-task", 1)
    robomtl.run("collect", *options, "--workers", 2, "--out", tmp_path / "demos")
    assert len(DemoStore(tmp_path / "demos")) == 2


def test_all_variations_of_a_task_are_collected_in_turn(rlbench, printed, tmp_path):
    options = ("--tasks", "reach_target", "--demos-per-task", 3, "--variation", "all")
    printed("collect", *RLBENCH, *IMAGES, *options, "--out", tmp_path / "demos")
    assert {demo.variation for demo in DemoStore(tmp_path / "demos")} == {0, 1, 2}


def test_unknown_names_are_answered_before_anything_starts(rlbench, refused, tmp_path):
    import pyrep

    message = refused("collect", *RLBENCH, "--tasks", "juggle", "--out", tmp_path / "demos")
    assert all(task in message for task in TASKS)
    message = refused("collect", *RLBENCH, "--cameras", "belly", "--out", tmp_path / "demos")
    assert "overhead" in message
    assert pyrep.PyRep.launches == 0


def test_without_rlbench_the_commands_say_what_to_install(refused, smoke, tmp_path):
    for command in (("collect", "--out", tmp_path / "demos"), ("evaluate", smoke / "run")):
        message = refused(*command, *RLBENCH)
        assert "pip install git+https://github.com/stepjam/RLBench.git" in message
    assert not (tmp_path / "demos").exists()
