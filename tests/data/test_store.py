import errno
import io
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robomtl.data import (
    CorruptDemoError,
    DataError,
    Demo,
    DemoKey,
    DemoStore,
    DiskFullError,
    InvalidDemoError,
    MissingDemoError,
    UnsupportedFormatError,
)
from robomtl.data.demo_file import decode, encode

MakeDemo = Callable[..., Demo]
ROOT = Path(__file__).parents[2]

WRITE = """
import sys
import numpy as np
from robomtl.data import Demo, DemoStore
store = DemoStore(sys.argv[1])
print("ready", flush=True)
for seed in range(int(sys.argv[2]), int(sys.argv[3])):
    pose = np.random.default_rng(seed).normal(size=(50, 7))
    store.add(Demo({"gripper_pose": pose}, task="push_button", variation=seed % 2, seed=seed))
"""


def start_writer(store: Path, first: int, stop: int, before: str = "") -> "subprocess.Popen[str]":
    """A process that adds demos of these seeds; it has imported everything when this returns."""
    command = [sys.executable, "-c", before + WRITE, str(store), str(first), str(stop)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def temporary_files(store: Path) -> list[str]:
    return [path.name for path in store.rglob("*") if path.is_file() and path.suffix != ".npz"]


def seeds_in(store: DemoStore) -> list[int]:
    keys = store.keys()
    return sorted(key.seed for key in keys)


def demo_file(store: DemoStore) -> Path:
    (path,) = store.path.rglob("*.npz")
    return path


@settings(max_examples=30)
@given(
    poses=arrays(np.float64, (3, 7), elements=st.floats(allow_nan=False, allow_infinity=False)),
    states=st.none() | arrays(np.float64, (3, 4), elements=st.floats(-1e300, 1e300)),
    descriptions=st.lists(st.text()),
    seed=st.integers(0, 10**9),
)
def test_demos_survive_the_disk_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, poses, states, descriptions, seed: int
) -> None:
    store = DemoStore(tmp_path_factory.mktemp("store"))
    demo = Demo(
        {"gripper_pose": poses},
        task="reach_target",
        variation=3,
        seed=seed,
        descriptions=descriptions,
        attempts=2,
        states=states,
        symmetry=[1, 2, 4],
    )
    store.add(demo)
    again = store.load("reach_target", 3, seed)
    assert again.digest() == demo.digest()
    assert again.column("gripper_pose").tobytes() == poses.tobytes()
    assert (again.states is None) == (states is None)
    assert again.descriptions == tuple(descriptions)
    assert (again.attempts, again.symmetry.tolist()) == (2, [1, 2, 4])


def test_images_survive_the_disk_too(make_demo: MakeDemo, tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (12, 4, 6, 3), np.uint8)
    demo = make_demo(columns={"wrist_rgb": rgb, "wrist_depth": np.ones((12, 4, 6), np.float32)})
    store = DemoStore(tmp_path)
    store.add(demo)
    assert store.load(*demo.key).digest() == demo.digest()


def test_a_demo_is_a_file_that_numpy_reads(make_demo: MakeDemo, tmp_path: Path) -> None:
    demo = make_demo(seed=42, variation=7, descriptions=("reach it",))
    DemoStore(tmp_path).add(demo)
    path = tmp_path / "reach_target" / "variation7" / "demo_000042.npz"
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["gripper_pose"], demo.column("gripper_pose"))
        np.testing.assert_array_equal(file["states"], demo.states)
        assert json.loads(file["metadata.json"])["descriptions"] == ["reach it"]


def test_equal_demos_are_equal_files(make_demo: MakeDemo, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    for now in (1.0e9, 1.5e9):
        moment = time.gmtime(now)
        monkeypatch.setattr(time, "localtime", lambda *_, moment=moment: moment)
        files.append(encode(make_demo(seed=1)))
    assert files[0] == files[1]


def test_a_store_lists_what_it_holds_in_the_order_of_numbers(
    make_demo: MakeDemo, tmp_path: Path
) -> None:
    store = DemoStore(tmp_path / "new")
    assert (store.keys(), len(store), list(store)) == ([], 0, [])
    assert not (tmp_path / "new").exists()
    keys = [
        DemoKey("push_button", 2, 9),
        DemoKey("push_button", 2, 10),
        DemoKey("push_button", 10, 0),
        DemoKey("reach-v3", 0, 999_999),
        DemoKey("reach-v3", 0, 1_000_000),
    ]
    for key in reversed(keys):
        store.add(make_demo(task=key.task, variation=key.variation, seed=key.seed))
    (tmp_path / "new" / "README.md").write_text("mine")
    (tmp_path / "new" / "push_button" / "variation2" / "demo_000010.npz.bak").write_text("mine")
    (tmp_path / "new" / "push_button" / "variations").mkdir()
    assert store.keys() == keys
    assert store.keys("push_button") == keys[:3]
    assert store.keys("stack_wine") == []
    assert len(store) == 5
    assert [demo.key for demo in store] == keys
    assert keys[0] in store
    assert DemoKey("push_button", 2, 8) not in store


def test_a_demo_that_is_not_there_is_told_from_a_damaged_one(
    make_demo: MakeDemo, tmp_path: Path
) -> None:
    store = DemoStore(tmp_path)
    store.add(make_demo())
    message = "no push_button variation 1 seed 2; 1 demonstration of the tasks: reach_target"
    with pytest.raises(MissingDemoError, match=message):
        store.load("push_button", 1, 2)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        DemoStore(tmp_path / "file")


def test_adding_again_replaces(make_demo: MakeDemo, tmp_path: Path) -> None:
    store = DemoStore(tmp_path)
    store.add(make_demo(frames=5))
    store.add(make_demo(frames=6))
    assert [len(demo) for demo in store] == [6]


def test_any_byte_that_changes_is_noticed_or_does_not_matter(tmp_path: Path) -> None:
    demo = Demo({"gripper_open": [0.0, 1.0]}, task="reach_target", variation=0, seed=0)
    store = DemoStore(tmp_path)
    store.add(demo)
    path = demo_file(store)
    content = path.read_bytes()
    noticed = 0
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            assert store.load(*demo.key).digest() == demo.digest()
        except CorruptDemoError:
            noticed += 1
    assert noticed > len(content) / 3


@given(cut=st.integers(0, 10**6), junk=st.binary(max_size=200))
def test_a_file_that_was_cut_or_overwritten_is_damaged(
    make_demo: MakeDemo, tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    demo = make_demo(frames=3)
    content = encode(demo)
    store = DemoStore(tmp_path_factory.mktemp("store"))
    store.add(demo)
    path = demo_file(store)
    cut %= len(content)
    # The last two bytes of a zip file are the length of a comment; any may follow, to no harm.
    assume(not (content[:cut] + junk).startswith(content[:-2]))
    for damaged in (content[:cut], junk, content[:cut] + junk):
        path.write_bytes(damaged)
        with pytest.raises(CorruptDemoError, match=r"demo_000000.npz is damaged .* delete it and"):
            store.load(*demo.key)


def repack(demo: Demo, **members: bytes | None) -> bytes:
    """The demo's file with members replaced, added or (None) left out, and right checksums."""
    content = io.BytesIO()
    replaced = {name.replace("__", "."): data for name, data in members.items()}
    with zipfile.ZipFile(io.BytesIO(encode(demo))) as old, zipfile.ZipFile(content, "w") as new:
        everything = {name: old.read(name) for name in old.namelist()} | replaced
        for name, data in everything.items():
            if data is not None:
                new.writestr(name, data)
    return content.getvalue()


class Attack:
    def __reduce__(self):
        return os.mkdir, (os.environ["ROBOMTL_TEST_ATTACK"],)


def test_nothing_in_a_file_is_ever_unpickled(
    make_demo: MakeDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBOMTL_TEST_ATTACK", str(tmp_path / "attacked"))
    demo = make_demo()
    array = io.BytesIO()
    np.lib.format.write_array(array, np.array([Attack()] * 12), allow_pickle=True)
    store = DemoStore(tmp_path / "store")
    store.add(demo)
    for content in (
        repack(demo, gripper_open__npy=array.getvalue()),
        repack(demo, metadata__json=pickle.dumps(Attack())),
        pickle.dumps(Attack()),
    ):
        demo_file(store).write_bytes(content)
        with pytest.raises(CorruptDemoError):
            store.load(*demo.key)
    assert not (tmp_path / "attacked").exists()


def test_a_demo_that_was_made_invalid_is_damaged(make_demo: MakeDemo, tmp_path: Path) -> None:
    demo = make_demo()
    array = io.BytesIO()
    np.lib.format.write_array(array, np.full(12, np.nan))
    store = DemoStore(tmp_path)
    store.add(demo)
    demo_file(store).write_bytes(repack(demo, gripper_open__npy=array.getvalue()))
    with pytest.raises(CorruptDemoError, match="gripper_open is not finite at frame 0"):
        store.load(*demo.key)
    demo_file(store).write_bytes(repack(demo, symmetry__npy=None))
    with pytest.raises(CorruptDemoError, match="symmetry"):
        store.load(*demo.key)


def test_a_file_under_the_wrong_name_is_noticed(make_demo: MakeDemo, tmp_path: Path) -> None:
    store = DemoStore(tmp_path)
    store.add(make_demo(seed=1))
    path = demo_file(store)
    path.rename(path.with_name("demo_000002.npz"))
    with pytest.raises(CorruptDemoError, match=r"demo_000002.npz holds another .* seed 1"):
        store.load("reach_target", 0, 2)


def test_a_file_of_another_version_is_not_called_damaged(
    make_demo: MakeDemo, tmp_path: Path
) -> None:
    demo = make_demo()
    with pytest.raises(UnsupportedFormatError, match=r"format 2, but .* reads format 1"):
        decode(repack(demo, metadata__json=b'{"format": 2, "news": true}'))
    store = DemoStore(tmp_path)
    store.add(demo)
    demo_file(store).write_bytes(repack(demo, metadata__json=b'{"format": 2}'))
    with pytest.raises(UnsupportedFormatError, match=r"demo_000000.npz cannot be read: it has"):
        store.load(*demo.key)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_is_told_and_leaves_what_was_there(
    make_demo: MakeDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    store = DemoStore(tmp_path)
    store.add(make_demo(frames=5))

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(DiskFullError, match=r"no space left .*demo_000000.npz.* free some"):
            store.add(make_demo(frames=6))
        with pytest.raises(DiskFullError) as caught:
            store.add(make_demo(seed=1))
        assert isinstance(caught.value, OSError)
        assert caught.value.errno == code
    assert [len(demo) for demo in store] == [5]
    assert temporary_files(tmp_path) == []


def test_other_failures_to_write_are_passed_on(
    make_demo: MakeDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, "not yours")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(PermissionError, match="not yours"):
        DemoStore(tmp_path).add(make_demo())
    assert temporary_files(tmp_path) == []


def test_many_processes_write_while_others_read(tmp_path: Path) -> None:
    store = DemoStore(tmp_path)
    # Two of them add the same demos, at the same time.
    writers = [start_writer(tmp_path, first, first + 40) for first in (0, 40, 40)]
    seen = 0
    while any(writer.poll() is None for writer in writers) or seen < 80:
        keys = store.keys()
        assert len(keys) >= seen
        seen = len(keys)
        for key in keys[-5:]:
            store.load(*key)
        assert all(writer.poll() in (None, 0) for writer in writers)
    assert seeds_in(store) == list(range(80))
    for demo in store:
        expected = np.random.default_rng(demo.seed).normal(size=(50, 7))
        np.testing.assert_array_equal(demo.column("gripper_pose"), expected)
    assert temporary_files(tmp_path) == []


def test_a_killed_collection_loses_no_finished_demo(tmp_path: Path) -> None:
    store = DemoStore(tmp_path)
    first = 0
    for pause in (0.01, 0.03, 0.1):
        with start_writer(tmp_path, first, 10**6) as writer:
            time.sleep(pause)
            writer.send_signal(signal.SIGKILL)
        seeds = seeds_in(store)
        assert seeds == list(range(len(seeds)))
        for demo in store:
            assert len(demo) == 50
        first = len(seeds)
    assert first > 0


def test_what_a_killed_writer_leaves_is_ignored_and_cleared_by_the_next_one(tmp_path: Path) -> None:
    # Dies with the temporary file written and not yet renamed.
    die = "import os, signal; os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    with start_writer(tmp_path, 0, 1, before=die) as writer:
        assert writer.wait() == -signal.SIGKILL
    assert len(temporary_files(tmp_path)) == 1
    store = DemoStore(tmp_path)
    assert store.keys() == []
    pose = np.zeros((2, 7))
    store.add(Demo({"gripper_pose": pose}, task="push_button", variation=0, seed=8))
    assert temporary_files(tmp_path) == []
    assert seeds_in(store) == [8]


def test_files_of_writers_that_still_run_are_left_alone(
    make_demo: MakeDemo, tmp_path: Path
) -> None:
    folder = tmp_path / "reach_target" / "variation0"
    folder.mkdir(parents=True)
    host = re.sub(r"\W", "-", socket.gethostname())
    running = folder / f".demo_000007.npz.{host}.{os.getpid()}.99.tmp"
    elsewhere = folder / ".demo_000007.npz.another-host.1.0.tmp"
    forgotten = folder / ".demo_000008.npz.another-host.1.0.tmp"
    foreign = folder / ".notes.tmp"
    for path in (running, elsewhere, forgotten, foreign):
        path.write_text("")
    os.utime(forgotten, (0, 0))
    DemoStore(tmp_path).add(make_demo())
    assert sorted(temporary_files(tmp_path)) == sorted([running.name, elsewhere.name, foreign.name])


def test_an_invalid_demo_never_reaches_the_disk(make_demo: MakeDemo, tmp_path: Path) -> None:
    with pytest.raises(InvalidDemoError):
        DemoStore(tmp_path).add(make_demo(columns={"gripper_open": np.full(12, np.nan)}))
    assert list(tmp_path.iterdir()) == []
