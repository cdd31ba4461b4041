import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zarr

from robomtl import cli, quickstart
from robomtl.cli import COMMANDS, CONTINUING, SIZED, main
from robomtl.data import DemoKey, KeyframeDataset, KeyframeWriter
from robomtl.envs import TASKS


def test_without_a_command_it_says_which_there_are(printed):
    for overview in (printed(), printed("--help")):
        assert all(f"\n  {command} " in overview for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_and_gives_an_example(printed, command):
    text = printed(command, "--help")
    assert COMMANDS[command][0] in text
    assert f"Example: robomtl {command}" in text


def test_help_shows_the_defaults_of_the_preset(printed):
    for arguments, demos in ((["--preset", "paper"], 100), (["--preset=smoke"], 2)):
        text = printed("collect", *arguments, "--help")
        default = re.search(r"--demos-per-task INT.*?\(default: (\d+)\)", text, re.DOTALL)
        assert default[1] == str(demos)


@pytest.mark.parametrize("command", ["rl train", "rl compare"])
def test_help_says_that_defaults_are_the_protocols(printed, command):
    text = printed(*command.split(), "--help")
    assert "(default: the protocol's)" in text
    assert "(default: None)" not in text


def test_preset_is_an_option_of_the_commands_that_have_presets(printed, refused):
    for command in COMMANDS:
        text = printed(*command.split(), "--help")
        assert ("--preset" in text) == ("smoke shows in a minute" in text) == (command in SIZED)
    assert "--preset" in refused("rl", "train", "--preset", "paper")


@pytest.mark.parametrize("command", ["rl compare", "scenes compare", "scenes relationships"])
def test_a_comparison_refuses_the_options_of_a_single_run(printed, refused, command):
    text = printed(*command.split(), "--help")
    assert "--seeds" in text
    for option in ("--method", "--seed"):
        assert not re.search(rf"{option}\s", text)
        assert "Unrecognized options" in refused(*command.split(), option, 1)


@pytest.mark.parametrize("beginning", ["rl", "scenes", "demos", "bench"])
def test_the_beginning_of_a_command_is_answered_with_what_begins_so(printed, refused, beginning):
    members = [name for name in COMMANDS if name.startswith(f"{beginning} ")]
    text = printed(beginning, "--help")
    assert text.count("\n  ") == len(members)
    assert all(f"\n  {name} " in text and COMMANDS[name][0] in text for name in members)
    for words in ([beginning], [beginning, "tran"]):
        message = f"error: unknown command {' '.join(words)!r}; valid: {', '.join(members)}\n"
        assert refused(*words) == message


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_says_whether_the_command_would_continue(monkeypatch, capsys, command):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_start", interrupted)
    with pytest.raises(SystemExit) as exit:
        main([*command.split(), "--out", "somewhere"])
    assert exit.value.code == 130
    again = "continues where it was" if command in CONTINUING else "begins anew"
    assert capsys.readouterr().err == f"interrupted: the same command {again}\n"


def test_commands_that_write_their_result_at_the_end_begin_anew():
    assert {"toy", "bench methods", "scenes collect", "rl evaluate"} < set(COMMANDS) - CONTINUING
    assert {"quickstart", "collect", "evaluate", "scenes train", "rl compare"} < CONTINUING
    assert set(COMMANDS) > CONTINUING


def test_nobody_needs_to_read_all_of_the_output():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "robomtl", "train", "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_pipe_that_breaks_elsewhere_is_an_error(monkeypatch, refused):
    def broken(config):
        raise BrokenPipeError("a worker ended")

    monkeypatch.setattr("robomtl.tasklist.show_tasks", broken)
    assert refused("tasks") == "error: a worker ended\n"


def test_tasks_lists_every_task_with_what_success_means(printed):
    text = printed("tasks")
    assert all(task in text for task in TASKS)
    assert text.count("Done when") == len(TASKS)


def test_an_unknown_name_is_answered_with_the_valid_ones(refused, tmp_path):
    assert "quickstart" in refused("colect")
    assert "smoke" in refused("collect", "--preset", "huge")
    message = refused("collect", "--tasks", "reach_targt", "--out", tmp_path)
    assert "'reach_targt'" in message
    assert all(task in message for task in TASKS)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_camera_or_task_of_a_policy_is_answered_with_the_valid_ones(
    refused, smoke, tmp_path
):
    dataset = ("--demos", smoke / "demos", "--out", tmp_path / "keyframes.zarr")
    message = refused("keyframes", *dataset, "--cameras", "wrst")
    assert "'wrst'" in message
    assert "left_shoulder, right_shoulder, wrist, overhead, front" in message
    message = refused("evaluate", smoke / "run", "--tasks", "stack_wine")
    assert "reach_target" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--image-size", 64), "was made with image_size 128, not 64: leave that out, or make"),
        (("--cameras", "wrist"), "('left_shoulder', 'right_shoulder', 'wrist'), not ('wrist',)"),
        (("--every", 7), "was made with every 5, not 7"),
        (("--every", None), "was made with every 5, not None"),
    ],
)
def test_training_refuses_to_see_what_a_dataset_does_not_show(
    refused, smoke, tmp_path, options, message
):
    data = ("--data", smoke / "keyframes.zarr")
    assert message in refused("train", *data, *options, "--out", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_what_a_dataset_shows_may_be_said(refused, smoke, tmp_path):
    data = ("--data", smoke / "keyframes.zarr", "--image-size", 128, "--every", 5)
    wrong = ("--iterations", 0)  # so that nothing is trained
    assert "iterations" in refused("train", *data, *wrong, "--out", tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "magic"), "valid names: stopped, fixed_interval, random"),
        (("--every", 0), "at least 1 frame, not 0"),
        (("--cameras",), "at least one camera, such as left_shoulder, right_shoulder, wrist"),
        (("--cameras", "corner"), "valid: left_shoulder, right_shoulder, wrist, overhead, front"),
        (("--cameras", "wrist", "wrist"), "each can be there only once"),
        (("--image-size", 63), "a multiple of 16 pixels"),
        (("--workers", 0), "at least 1, not 0"),
    ],
)
def test_keyframes_refuses_what_makes_no_sense_before_anything_is_made(
    refused, smoke, tmp_path, options, message
):
    out = tmp_path / "keyframes.zarr"
    assert message in refused("keyframes", "--demos", smoke / "demos", "--out", out, *options)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tasks",), f"at least one task; the tabletop's are {', '.join(TASKS)}"),
        (("--workers", 0), "at least 1, not 0"),
    ],
)
def test_collect_refuses_what_makes_no_sense_before_anything_is_made(
    refused, tmp_path, options, message
):
    assert message in refused("collect", "--out", tmp_path / "demos", *options)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_input_says_which_command_makes_it(refused, tmp_path):
    nowhere = tmp_path / "nowhere"
    assert "robomtl collect" in refused("keyframes", "--demos", nowhere)
    train = ("train", "--data", nowhere, "--out", nowhere)
    assert f"at {nowhere}: `robomtl keyframes` makes one" in refused(*train)
    assert "robomtl train" in refused("evaluate", nowhere)
    assert "robomtl train" in refused("report", nowhere)
    assert not nowhere.exists()


def test_what_training_cannot_do_is_refused_before_anything_is_done(refused, smoke, tmp_path):
    out = tmp_path / "run"
    demos = ("train", "--demos", smoke / "demos")
    for command in (demos, ("train", "--data", smoke / "keyframes.zarr")):
        assert "batch size of 2 or more" in refused(*command, "--batch-size", 1, "--out", out)
        assert "'magic'" in refused(*command, "--method", "magic", "--out", out)
        for option, value in (("--iterations", 0), ("--seed", -1), ("--learning-rate", "nan")):
            assert f"not {value}" in refused(*command, option, value, "--out", out)
        assert "learns no weights" in refused(*command, "--weight-rate", 1e-3, "--out", out)
    for size in (16, 100):
        for command in (demos, ("quickstart",)):
            message = refused(*command, "--image-size", size, "--out", out)
            assert f"{size} x {size} pixels" in message
            assert "multiples of 16, 32 or more" in message
    assert "3 or more" in refused("quickstart", "--batch-size", 2, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    "command",
    [
        "evaluate {run} --workers 1 --json",
        "report {run} --workers 1 --out",
        "view {run} --out",
        "scenes collect --workers 1 --out",
        "bench methods --out",
    ],
)
def test_a_folder_in_place_of_a_file_is_refused_before_the_work(
    refused, smoke, tmp_path, monkeypatch, command
):
    for work in ("robomtl.parallel._attempt", "robomtl.bench.command._measured"):
        monkeypatch.setattr(work, cut)  # so that work would fail
    words = [word.format(run=smoke / "run") for word in command.split()]
    folder = tmp_path / "folder.png"
    folder.mkdir()
    assert refused(*words, folder) == f"error: {folder} is a folder: name a file to write\n"
    (tmp_path / "file").touch()
    message = refused(*words, tmp_path / "file" / "page.png")
    assert f"{tmp_path / 'file'} is a file, not a folder" in message


@pytest.mark.parametrize(
    ("command", "theirs"),
    [
        *(("collect", theirs) for theirs in ("keyframes.zarr", "run", "notes")),
        *(("keyframes", theirs) for theirs in ("demos", "run", "notes")),
        *(("train", theirs) for theirs in ("demos", "keyframes.zarr", "notes")),
    ],
)
def test_nothing_is_written_among_other_files(refused, smoke, tmp_path, command, theirs):
    folder = tmp_path / "folder"
    if theirs == "notes":
        (folder / "within").mkdir(parents=True)
        (folder / "within" / "notes.txt").write_text("mine")
    else:
        shutil.copytree(smoke / theirs, folder)
    before = sorted(folder.rglob("*"))
    source = {"collect": (), "train": ("--data", smoke / "keyframes.zarr")}
    options = source.get(command, ("--demos", smoke / "demos"))
    message = refused(command, *options, "--out", folder)
    assert f"{folder} holds other files; name a folder that is empty" in message
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "command",
    [
        "collect",
        "keyframes --demos {smoke}/demos",
        "train --data {smoke}/keyframes.zarr",
        "demos export --demos {smoke}/demos",
        "toy --workers 1",
        "scenes train",
        "scenes compare",
        "scenes relationships",
        "rl train",
        "rl compare",
    ],
)
def test_a_file_in_place_of_a_folder_is_refused_before_the_work(
    refused, smoke, tmp_path, monkeypatch, command
):
    monkeypatch.setattr("robomtl.parallel._attempt", cut)
    file = tmp_path / "file"
    file.touch()
    message = refused(*(word.format(smoke=smoke) for word in command.split()), "--out", file)
    assert message == f"error: {file} is a file: name a folder to write into\n"


@pytest.mark.parametrize(
    ("option", "values", "message"),
    [
        ("--learning-rate", "-1", "learning_rate must be positive and finite, not -1"),
        ("--learning-rate", "nan", "learning_rate must be positive and finite, not nan"),
        ("--weight-rate", "-1", "weight_rate must be positive and finite, not -1"),
        ("--average", "2", "average must be 0 or more, and below 1, not 2"),
        ("--average", "nan", "average must be 0 or more, and below 1, not nan"),
        ("--network.rotations", "0", "rotations must be 1 or more, not 0"),
        ("--network.widths", "0 0 0 0", "widths must be 1 or more, not (0, 0, 0, 0)"),
        ("--network.crop-radius", "0", "crop_radius must be positive and finite, not 0"),
        ("--network.workspace", "0 0 0 0 0 0", "workspace must be two corners, the lower one"),
        ("--augmentation.shift", "200", "shift must be less than 128, the width of the images"),
        ("--augmentation.shift", "-1", "shift must be 0 or more, and finite, not -1"),
        ("--augmentation.noise", "nan", "noise must be 0 or more, and finite, not nan"),
        ("--losses.position", "-1", "position must be 0 or more, and finite, not -1"),
        ("--losses.sigma", "0", "sigma must be positive and finite, not 0"),
    ],
)
def test_training_refuses_numbers_that_make_no_sense_before_anything_is_made(
    refused, smoke, tmp_path, option, values, message
):
    for source in (("--demos", smoke / "demos"), ("--data", smoke / "keyframes.zarr")):
        command = ("train", *source, "--out", tmp_path / "run")
        assert message in refused(*command, option, *values.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--tasks", "stack_win", "'stack_win'"),
        ("--demos-per-task", 0, "at least 1, not 0"),
        ("--every", 0, "at least 1 frame, not 0"),
        ("--iterations", 0, "at least 1 step, not 0"),
        ("--seed", -1, "2**63 - 1, not -1"),
        ("--episodes", 0, "0 episodes, seed 0"),
    ],
)
def test_quickstart_refuses_at_once_what_a_later_stage_would(
    refused, tmp_path, option, value, message
):
    out = tmp_path / "out"
    assert message in refused("quickstart", option, value, "--workers", 1, "--out", out)
    assert not out.exists()


def test_demonstrations_cannot_use_the_seeds_of_the_evaluation(refused, tmp_path):
    message = refused("collect", "--seed", 499_999, "--demos-per-task", 2, "--out", tmp_path)
    assert "500000" in message


def test_a_task_named_twice_is_refused(refused, smoke, tmp_path):
    tasks = ("--tasks", "reach_target", "push_button", "reach_target")
    evaluations = set((smoke / "run" / "evaluations").iterdir())
    for command in (("collect", "--out", tmp_path / "demos"), ("evaluate", smoke / "run")):
        message = refused(*command, *tasks)
        assert "name ['reach_target'] more than once" in message
    assert set((smoke / "run" / "evaluations").iterdir()) == evaluations
    assert not list(tmp_path.iterdir())


def test_a_folder_whose_description_is_damaged_is_refused(refused, tmp_path):
    (tmp_path / "recording.json").write_text('{"simulator": ')
    message = refused("collect", "--preset", "smoke", "--out", tmp_path)
    assert f"{tmp_path / 'recording.json'} is damaged" in message


def test_an_error_in_a_worker_names_the_job(refused, tmp_path):
    damaged = tmp_path / "reach_target" / "variation0" / "demo_000007.npz"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"damaged")
    message = refused("keyframes", "--demos", tmp_path, "--out", tmp_path / "keyframes.zarr")
    assert message.startswith("error: reach_target variation 0 seed 7: CorruptDemoError: ")
    assert str(damaged) in message


def without_opengl(*arguments):
    """MuJoCo's EGL then ends in an error when it is imported, as without the library."""
    environ = {**os.environ, "MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "osmesa"}
    command = [sys.executable, "-m", "robomtl", *map(str, arguments)]
    return subprocess.run(command, env=environ, capture_output=True, text=True)


def test_without_opengl_whatever_draws_nothing_works(tmp_path):
    demos = ("--tasks", "reach_target", "--demos-per-task", 1, "--out", tmp_path)
    done = without_opengl("collect", *demos, "--workers", 1)
    assert done.returncode == 0, done.stderr


def test_without_opengl_drawing_ends_in_one_line_with_the_remedy(smoke, tmp_path):
    data = ("--demos", smoke / "demos", "--out", tmp_path / "keyframes.zarr")
    done = without_opengl("keyframes", *data)
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert "Cannot use EGL rendering platform" in message
    assert "apt-get install libegl1 libgl1-mesa-dri" in message
    assert "robomtl doctor" in message


def test_a_missing_library_is_one_line_with_the_remedy(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "robomtl.toy", None)  # so it cannot be imported
    message = refused("tasks")
    assert message.startswith("error: a library cannot be imported (ModuleNotFoundError: ")
    assert message.endswith("`robomtl doctor` says which command mends it\n")
    assert message.count("\n") == 1


def test_a_warning_is_one_line(refused, smoke, tmp_path):
    data = shutil.copytree(smoke / "keyframes.zarr", tmp_path / "data")
    zarr.open_group(data).attrs["complete"] = False
    message = refused("train", "--data", data, "--out", tmp_path / "run", "--batch-size", 1)
    warning, error = message.splitlines()
    assert warning.startswith(f"warning: {data} is incomplete: it has 4 episodes so far. Run the")
    assert error.startswith("error: ")


def test_traceback_shows_where_an_error_came_from(tmp_path):
    with pytest.raises(Exception, match=r"policy\.pt is missing"):
        main(["evaluate", str(tmp_path), "--traceback"])


def test_the_same_quickstart_again_finds_everything_done(robomtl, smoke):
    def made():
        files = [*smoke.glob("demos/**/*.npz"), *smoke.glob("run/**/*-seed0-*/episodes.jsonl")]
        return {path: path.stat().st_mtime_ns for path in files}

    before = made()
    assert len(before) == 2 * 2 + 1
    weights = (smoke / "run" / "checkpoints" / "policy.pt").read_bytes()
    output = robomtl.run("quickstart", "--preset", "smoke", "--out", smoke)
    assert str(smoke / "run" / "report.html") in output.replace("\n", "")
    assert made() == before
    assert (smoke / "run" / "checkpoints" / "policy.pt").read_bytes() == weights


class PowerCut(Exception):
    pass


def cut(*_):
    raise PowerCut


def test_quickstart_learns_from_the_demonstrations_that_are_asked_for(smoke, tmp_path, monkeypatch):
    shutil.copytree(smoke / "demos", tmp_path / "demos")  # two of each task
    monkeypatch.setattr(quickstart, "train_command", cut)
    command = ["quickstart", "--preset", "smoke", "--out", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(KeyframeWriter, "finish", cut)
        with pytest.raises(PowerCut):
            main([*command, "--demos-per-task", "1"])
    one_each = (DemoKey("push_button", 0, 0), DemoKey("reach_target", 0, 0))
    for _ in range(2):  # continues what was interrupted, then finds it done
        with pytest.raises(PowerCut):
            main([*command, "--demos-per-task", "1"])
        dataset = KeyframeDataset(tmp_path / "keyframes.zarr")
        assert (dataset.keys, dataset.complete) == (one_each, True)


def test_quickstart_adds_nothing_to_what_a_policy_has_learned_from(refused, smoke, tmp_path):
    out = shutil.copytree(smoke, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    for number, total in ((3, 6), (1, 2)):
        options = ("--preset", "smoke", "--demos-per-task", number, "--workers", 1, "--out", out)
        message = refused("quickstart", *options)
        assert "keyframes.zarr was made of 4 demonstrations" in message
        assert f"not the {total} that are asked for" in message
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_each_stage_alone_continues_what_quickstart_did(smoke, tmp_path, monkeypatch):
    shutil.copytree(smoke, tmp_path / "runs" / "smoke")  # where the commands look by default
    monkeypatch.chdir(tmp_path)
    weights = Path("runs/smoke/run/checkpoints/policy.pt")
    before = weights.read_bytes()
    evaluations = set(Path("runs/smoke/run/evaluations").iterdir())
    for command in ("collect", "keyframes", "train", "evaluate"):
        main([command, "--preset", "smoke"])
    assert weights.read_bytes() == before
    assert set(Path("runs/smoke/run/evaluations").iterdir()) == evaluations


def test_all_variations_of_a_task_are_collected_in_turn(printed, tmp_path):
    options = ("--tasks", "reach_target", "--demos-per-task", 3, "--variation", "all")
    printed("collect", *options, "--workers", 1, "--out", tmp_path)
    folders = {path.name for path in (tmp_path / "reach_target").iterdir()}
    assert folders == {"variation0", "variation1", "variation2"}
