import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from robomtl.data import (
    CorruptDatasetError,
    DataError,
    DatasetInUseError,
    DatasetMismatchError,
    DemoKey,
    DiskFullError,
    InvalidSamplesError,
    KeyframeDataset,
    KeyframeWriter,
    UnknownCameraError,
    UnknownTaskError,
    UnsupportedFormatError,
    layout,
    opening,
)

CAMERAS = ("wrist", "front")
TASKS = ("push_button", "reach_target")
KEY = DemoKey("push_button", 0, 0)
ROOT = Path(__file__).parents[2]
MakeSamples = Callable[..., dict[str, NDArray[Any]]]

pytestmark = pytest.mark.filterwarnings("ignore::robomtl.data.IncompleteDatasetWarning")


def open_writer(path: Path, **settings: Any) -> KeyframeWriter:
    defaults = {"tasks": TASKS, "cameras": CAMERAS, "image_size": 8, "recipe": {"every": 5}}
    return KeyframeWriter(path, **{**defaults, **settings})


def build(path: Path, make_samples: MakeSamples, seeds: range) -> None:
    """Appends one episode per seed that is not there yet."""
    with open_writer(path) as writer:
        for seed in seeds:
            key = DemoKey(TASKS[seed % 2], 0, seed)
            if key not in writer.done:
                writer.append(key, make_samples(key, 1 + seed % 7))
        writer.finish()


def contents(path: Path) -> dict[str, tuple[Any, ...]]:
    """All arrays as they are on disk, also those behind what counts."""
    root = zarr.open_group(path, mode="r")
    return {
        name: (array.shape, array.dtype, array[:].tobytes())
        for group in ("data", "meta")
        for name, array in root[group].arrays()
    }


def test_equal_episodes_give_equal_datasets(make_samples: MakeSamples, tmp_path: Path) -> None:
    build(tmp_path / "a.zarr", make_samples, range(12))
    build(tmp_path / "b.zarr", make_samples, range(12))
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


def test_a_dataset_made_in_many_sittings_equals_one_made_in_one(
    make_samples: MakeSamples, tmp_path: Path
) -> None:
    build(tmp_path / "one.zarr", make_samples, range(12))
    for stop in (0, 1, 7, 7, 12):  # each sitting finishes the dataset, the next one adds to it
        build(tmp_path / "many.zarr", make_samples, range(stop))
        assert len(KeyframeDataset(tmp_path / "many.zarr").keys) == stop
        assert KeyframeDataset(tmp_path / "many.zarr").complete
    assert contents(tmp_path / "many.zarr") == contents(tmp_path / "one.zarr")


APPEND = """
import sys
import numpy as np
from robomtl.data import DemoKey, KeyframeWriter, layout
with KeyframeWriter(sys.argv[1], ("a", "b"), ("wrist",), 16) as writer:
    for seed in range(int(sys.argv[2])):
        key = DemoKey("ab"[seed % 2], 0, seed)
        if key in writer.done:
            continue
        rng = np.random.default_rng(seed)
        count = 1 + seed % 7
        print(seed, flush=True)
        writer.append(key, {
            name: rng.integers(0, 200, (count, *field.shape)).astype(field.dtype)
            for name, field in layout.fields(("wrist",), 16).items() if name != "task"
        })
    writer.finish()
"""


def start_appending(path: Path, before: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", before + APPEND, str(path), str(EPISODES)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


EPISODES = 30


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("uninterrupted") / "d.zarr"
    with start_appending(path) as process:
        assert process.wait() == 0
    return path


def test_a_build_that_is_killed_again_and_again_equals_one_that_was_not(
    uninterrupted: Path, tmp_path: Path
) -> None:
    path = tmp_path / "d.zarr"
    whole = KeyframeDataset(uninterrupted).load()
    pauses = random.Random(0)
    for _ in range(5):
        with start_appending(path) as process:
            assert process.stdout is not None
            started = [process.stdout.readline() for _ in range(3)]
            time.sleep(pauses.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
            last = int([*started, *process.stdout.read().split()][-1])
        dataset = KeyframeDataset(path)
        # All but the episode that was being written, and that one whole or not at all.
        assert len(dataset.keys) in (last, last + 1)
        for name, values in dataset.load().items():
            np.testing.assert_array_equal(values, whole[name][: len(values)], err_msg=name)
    with start_appending(path) as process:
        assert process.wait() == 0
    assert KeyframeDataset(path).complete
    assert contents(path) == contents(uninterrupted)


# Dies where a file would appear under its name for the n-th time.
DIE = """
import os, pathlib, signal
name, times = os.environ["ROBOMTL_TEST_DIE_AT"].split()
left, replace = int(times), pathlib.Path.replace
def die_or_replace(self, target):
    global left
    left -= str(target).endswith(name)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = die_or_replace
"""


@pytest.mark.parametrize(
    ("moment", "episodes"),
    [
        pytest.param("d.zarr/zarr.json 1", 0, id="no group"),
        pytest.param("data/action/zarr.json 1", 0, id="some arrays"),
        pytest.param("d.zarr/zarr.json 2", 0, id="all but the settings"),
        pytest.param("data/action/c/0/0 1", 0, id="half an episode"),
        pytest.param("meta/episode_ends/c/0 1", 0, id="all but the end of an episode"),
        pytest.param("data/wrist_rgb/c/0/0/0/0 2", 1, id="all of an episode"),
        pytest.param("data/wrist_rgb/c/1/0/0/0 1", 3, id="first of two chunks"),
        pytest.param("data/action/zarr.json 2", EPISODES, id="half cut"),
        pytest.param("d.zarr/zarr.json 3", EPISODES, id="all but complete"),
    ],
)
def test_no_moment_is_a_bad_one_to_be_killed_at(
    uninterrupted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    episodes: int,
) -> None:
    path = tmp_path / "d.zarr"
    monkeypatch.setenv("ROBOMTL_TEST_DIE_AT", moment)
    with start_appending(path, before=DIE) as process:
        assert process.wait() == -signal.SIGKILL
    assert list(tmp_path.rglob("*.partial"))  # what it was about to rename, and zarr beside it
    whole = KeyframeDataset(uninterrupted)
    with open_writer(path, tasks=("a", "b"), cameras=("wrist",), image_size=16, recipe={}) as again:
        assert again.done == set(whole.keys[:episodes])
        assert not list(tmp_path.rglob("*.partial"))
        samples = whole.load()
        ends = [0, *whole.episode_ends]
        for i in range(episodes, EPISODES):
            part = {name: v[ends[i] : ends[i + 1]] for name, v in samples.items() if name != "task"}
            again.append(whole.keys[i], part)
        again.finish()
    assert contents(path) == contents(uninterrupted)


def test_a_dataset_grows_past_what_was_made_room_for(
    make_samples: MakeSamples, tmp_path: Path
) -> None:
    counts = [4090, 3, 3, 4096, 8, 1]
    with KeyframeWriter(tmp_path / "d.zarr", TASKS, (), 1) as writer:
        for seed, count in enumerate(counts):
            key = KEY._replace(seed=seed)
            writer.append(key, make_samples(key, count, cameras=()))
        writer.finish()
    loaded = KeyframeDataset(tmp_path / "d.zarr").load()
    parts = [
        make_samples(KEY._replace(seed=seed), count, cameras=())
        for seed, count in enumerate(counts)
    ]
    for name in parts[0]:
        expected = np.concatenate([part[name] for part in parts])
        np.testing.assert_array_equal(loaded[name], expected, err_msg=name)


def test_black_images_are_written_like_any_other(make_samples: MakeSamples, tmp_path: Path) -> None:
    with open_writer(tmp_path / "d.zarr") as writer:
        samples = make_samples(KEY, 20)
        writer.append(KEY, {name: np.zeros_like(values) for name, values in samples.items()})
        writer.finish()
    assert not KeyframeDataset(tmp_path / "d.zarr").load()["wrist_rgb"].any()


def test_two_writers_cannot_have_one_dataset(make_samples: MakeSamples, tmp_path: Path) -> None:
    path = tmp_path / "d.zarr"
    first = open_writer(path)
    with pytest.raises(DatasetInUseError, match="written to already"):
        open_writer(path)
    first.append(KEY, make_samples(KEY))
    first.close()
    second = open_writer(path)
    assert second.done == {KEY}
    del second  # a writer that is forgotten does not keep the dataset
    with open_writer(path) as third:
        third.finish()
    assert KeyframeDataset(path).complete


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 16}, "image_size 8 instead of 16"),
        ({"cameras": ("front", "wrist")}, r"cameras \['wrist', 'front'\] instead of \['front',"),
        ({"tasks": ("push_button",)}, r"tasks \['push_button', 'reach_target'\] instead of"),
        ({"recipe": {"every": None}}, "recipe {'every': 5} instead of {'every': None}"),
        ({"image_size": 4, "recipe": None}, "image_size 8 instead of 4; recipe"),
    ],
)
def test_a_dataset_is_not_continued_with_other_settings(
    make_samples: MakeSamples, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    path = tmp_path / "d.zarr"
    build(path, make_samples, range(2))
    before = contents(path)
    with pytest.raises(DatasetMismatchError, match=message):
        open_writer(path, **settings)
    assert contents(path) == before
    with open_writer(path) as writer:  # and nobody holds it
        assert len(writer.done) == 2


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    theirs = ("notes.txt", f"c.{'0' * 32}.partial", "film.partial")
    for name in theirs:
        (tmp_path / name).write_text("mine")
    with pytest.raises(DatasetMismatchError, match="holds other files"):
        open_writer(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(theirs)
    zarr.create_group(tmp_path / "other.zarr")
    with pytest.raises(DatasetMismatchError, match="not a robomtl keyframe dataset"):
        open_writer(tmp_path / "other.zarr")
    zarr.create_group(tmp_path / "newer.zarr", attributes={"kind": layout.KIND, "format": 99})
    with pytest.raises(UnsupportedFormatError, match="has format 99"):
        open_writer(tmp_path / "newer.zarr")


def test_a_dataset_that_was_only_begun_says_so_to_readers(tmp_path: Path) -> None:
    zarr.create_group(tmp_path, attributes={"kind": layout.KIND})
    with pytest.raises(DataError, match=r"interrupted before its first episode; run the command"):
        KeyframeDataset(tmp_path)
    with open_writer(tmp_path) as writer:
        assert writer.done == set()


def test_a_kill_before_the_first_file_is_complete_leaves_a_folder_that_counts_as_empty(
    tmp_path: Path,
) -> None:
    (tmp_path / f"zarr.{'0a' * 16}.partial").write_text("{")
    with open_writer(tmp_path) as writer:
        assert writer.done == set()
    assert not list(tmp_path.rglob("*.partial"))


def test_a_dataset_that_never_got_anything_takes_other_settings(
    make_samples: MakeSamples, tmp_path: Path
) -> None:
    path = tmp_path / "d.zarr"
    open_writer(path, image_size=16).close()
    build(path, make_samples, range(3))
    build(tmp_path / "other.zarr", make_samples, range(3))
    assert contents(path) == contents(tmp_path / "other.zarr")


@pytest.mark.parametrize("place", ["arrays", "attributes"])
def test_a_kill_while_it_takes_other_settings_leaves_one_that_takes_any(
    make_samples: MakeSamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / "d.zarr"
    open_writer(path, image_size=16).close()
    create_column = opening.create_column

    def killed(group: Any, name: str, *field: Any, **options: Any) -> None:
        if place == "arrays":
            raise KeyboardInterrupt
        create_column(group, name, *field, **options)
        if name == "episode_ends":
            raise KeyboardInterrupt

    monkeypatch.setattr(opening, "create_column", killed)
    with pytest.raises(KeyboardInterrupt):
        open_writer(path, image_size=32)
    monkeypatch.undo()
    build(path, make_samples, range(3))
    build(tmp_path / "other.zarr", make_samples, range(3))
    assert contents(path) == contents(tmp_path / "other.zarr")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"cameras": ("wrist", "elbow")}, UnknownCameraError, "'elbow'; valid names: left_"),
        ({"tasks": ()}, DataError, "at least one"),
        ({"tasks": ("a", "a")}, DataError, "different names"),
        ({"image_size": 0}, DataError, "image_size must be at least 1, not 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, settings, error, message) -> None:
    with pytest.raises(error, match=message):
        open_writer(tmp_path / "d.zarr", **settings)
    assert not (tmp_path / "d.zarr").exists()


def spoil(name: str, change: Callable[[NDArray[Any]], Any]) -> Callable[..., None]:
    def apply(samples: dict[str, Any]) -> None:
        samples[name] = change(samples[name])

    return apply


def with_nan(values: NDArray[Any]) -> NDArray[Any]:
    values = values.copy()
    values[1, 2, 3] = np.nan
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("action"), "missing action, not expected nothing"),
        (lambda s: s.update(task=np.zeros(3)), "missing nothing, not expected task"),
        (spoil("wrist_rgb", lambda v: v[:2]), r"wrist_rgb has shape \(2, 8, 8, 3\); expected 3 of"),
        (spoil("wrist_rgb", lambda v: v[:, :4]), r"wrist_rgb has shape \(3, 4, 8, 3\)"),
        (spoil("wrist_rgb", lambda v: v / 255), "wrist_rgb has type float64; expected uint8"),
        (spoil("front_depth", lambda v: v.astype(float)), "front_depth has type float64"),
        (spoil("front_depth", with_nan), "front_depth of sample 1 is not finite"),
        (spoil("stage", lambda v: v[:0]), "stage has no rows"),
        (spoil("stage", lambda v: 3), "stage has no rows"),
    ],
)
def test_samples_that_do_not_fit_are_named_and_change_nothing(
    make_samples: MakeSamples, tmp_path: Path, change, message: str
) -> None:
    samples = make_samples(KEY)
    change(samples)
    with open_writer(tmp_path / "d.zarr") as writer:
        with pytest.raises(InvalidSamplesError, match=f"{KEY}: .*{message}"):
            writer.append(KEY, samples)
        writer.append(KEY, make_samples(KEY))
        assert writer.done == {KEY}
        with pytest.raises(InvalidSamplesError, match=f"has an episode of {KEY} already"):
            writer.append(KEY, make_samples(KEY))
        with pytest.raises(UnknownTaskError, match="'stack_wine'; valid names: push_button, reach"):
            writer.append(KEY._replace(task="stack_wine"), make_samples(KEY))
        writer.finish()
    assert len(KeyframeDataset(tmp_path / "d.zarr")) == 3


def test_a_closed_writer_says_so(make_samples: MakeSamples, tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "d.zarr")
    writer.close()
    writer.close()
    with pytest.raises(DataError, match="is closed; open another to continue"):
        writer.append(KEY, make_samples(KEY))
    with pytest.raises(DataError, match="is closed; open another to continue"):
        writer.finish()


@pytest.mark.parametrize("writes", [0, 5, 20])
def test_a_full_disk_is_told_and_loses_no_finished_episode(
    make_samples: MakeSamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    path = tmp_path / "d.zarr"
    other = KEY._replace(seed=1)
    writer = open_writer(path)
    writer.append(KEY, make_samples(KEY))
    space, replace = iter(range(writes)), Path.replace

    def fill_up(self: Path, target: Path) -> Path:
        if next(space, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fill_up)
        with pytest.raises(DiskFullError, match=r"no space left to write .*d.zarr; what was finis"):
            writer.append(other, make_samples(other))
    assert not list(path.rglob("*.partial"))
    assert KeyframeDataset(path).keys == (KEY,)
    with open_writer(path) as again:
        again.append(other, make_samples(other))
        again.finish()
    with open_writer(tmp_path / "whole.zarr") as whole:
        whole.append(KEY, make_samples(KEY))
        whole.append(other, make_samples(other))
        whole.finish()
    assert contents(path) == contents(tmp_path / "whole.zarr")


def test_a_full_disk_is_told_when_a_dataset_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(DiskFullError, match=r"no space left to write .*d.zarr"):
            open_writer(tmp_path / "d.zarr")
    with open_writer(tmp_path / "d.zarr") as writer:
        assert writer.done == set()


def test_a_damaged_dataset_is_not_continued(make_samples: MakeSamples, tmp_path: Path) -> None:
    path = tmp_path / "d.zarr"
    build(path, make_samples, range(3))
    (path / "data" / "wrist_rgb" / "c" / "0" / "0" / "0" / "0").write_bytes(b"garbage")
    with pytest.raises(CorruptDatasetError, match=r"wrist_rgb is damaged in rows 0 to 5"):
        open_writer(path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(CorruptDatasetError, match=r"zarr.json is damaged"):
        open_writer(path)


def test_samples_of_a_demo_go_through_the_whole_pipe(
    make_demo: Callable[..., Any], tmp_path: Path
) -> None:
    from robomtl.data import find_keyframes, keyframe_samples, low_dim_samples

    demo = make_demo(frames=30)
    keyframes = find_keyframes(demo)
    samples = low_dim_samples(demo, keyframes, keyframe_samples(demo, keyframes, every=1))
    with KeyframeWriter(tmp_path / "d.zarr", ("reach_target",), (), 128) as writer:
        writer.append(demo.key, samples)
        writer.finish()
    dataset = KeyframeDataset(tmp_path / "d.zarr")
    assert dataset.stages("reach_target") == len(keyframes)
    for name, values in samples.items():
        np.testing.assert_array_equal(dataset.load()[name], values)
