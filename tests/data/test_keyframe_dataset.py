import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from robomtl.data import (
    CorruptDatasetError,
    DataError,
    DatasetMismatchError,
    DemoKey,
    IncompleteDatasetWarning,
    KeyframeDataset,
    KeyframeWriter,
    UnknownTaskError,
    UnsupportedFormatError,
    layout,
)

CAMERAS = ("wrist", "front")
TASKS = ("push_button", "reach_target", "stack_wine")
Samples = dict[str, NDArray[Any]]
MakeSamples = Callable[..., Samples]

# Interleaved tasks, episodes of different lengths, one that spans several chunks.
EPISODES = [
    (DemoKey("reach_target", 0, 0), 1),
    (DemoKey("push_button", 0, 1), 3),
    (DemoKey("reach_target", 1, 2), 30),
    (DemoKey("push_button", 0, 0), 4),
    (DemoKey("reach_target", 0, 4), 2),
]


@pytest.fixture(scope="module")
def path(make_samples: MakeSamples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("datasets") / "keyframes.zarr"
    with KeyframeWriter(path, TASKS, CAMERAS, 8, {"method": "stopped"}) as writer:
        for key, count in EPISODES:
            writer.append(key, make_samples(key, count))
        writer.finish()
    return path


@pytest.fixture(scope="module")
def expected(make_samples: MakeSamples) -> Callable[[Sequence[str]], Samples]:
    """What the samples of some tasks are, in the order in which they were appended."""

    def of(tasks: Sequence[str]) -> Samples:
        parts = []
        for key, count in EPISODES:
            if key.task in tasks:
                task = np.full(count, tasks.index(key.task))
                parts.append({**make_samples(key, count), "task": task})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return of


def assert_equal(samples: Samples, expected: Samples) -> None:
    assert samples.keys() == expected.keys()
    for name, values in samples.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name, strict=True)


SELECTIONS = [
    TASKS,
    ("reach_target",),
    ("push_button",),
    ("reach_target", "push_button"),
    ("stack_wine", "reach_target"),
]


@pytest.mark.parametrize("tasks", [None, *SELECTIONS])
def test_loading_gives_what_was_appended(path: Path, expected, tasks) -> None:
    dataset = KeyframeDataset(path, tasks)
    samples = dataset.load()
    assert_equal(samples, expected(tasks or TASKS))
    assert len(dataset) == len(samples["stage"])
    assert dataset.tasks == (tasks or TASKS)
    assert all(values.flags.writeable for values in samples.values())


@pytest.mark.parametrize("tasks", SELECTIONS)
def test_samples_can_be_read_one_by_one(path: Path, expected, tasks) -> None:
    dataset = KeyframeDataset(path, tasks)
    everything = expected(tasks)
    for i in range(len(dataset)):
        assert_equal(dataset[i], {name: values[i, ...] for name, values in everything.items()})
    assert_equal(dataset[-1], dataset[len(dataset) - 1])
    assert_equal(dataset[np.int64(0)], dataset[0])
    for i in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match=f"sample {i} of a dataset of {len(dataset)} samples"):
            dataset[i]


def test_a_sample_belongs_to_whoever_read_it(path: Path) -> None:
    dataset = KeyframeDataset(path)
    dataset[0]["action"][:] = -1
    assert (dataset[0]["action"] >= 0).all()


@pytest.mark.parametrize("tasks", SELECTIONS)
def test_episodes_tell_which_demo_every_sample_is_of(path: Path, make_samples, tasks) -> None:
    dataset = KeyframeDataset(path, tasks)
    starts = [0, *dataset.episode_ends[:-1]]
    assert list(dataset.keys) == [key for key, _ in EPISODES if key.task in tasks]
    for key, start, end in zip(dataset.keys, starts, dataset.episode_ends, strict=True):
        frames = [dataset[i]["frame"] for i in range(start, end)]
        np.testing.assert_array_equal(frames, make_samples(key, end - start)["frame"])
    assert dataset.episode_ends[-1] == len(dataset)


def test_indices_and_stages_of_a_task(path: Path) -> None:
    dataset = KeyframeDataset(path)
    assert dataset.task_indices("push_button").tolist() == [1, 2, 3, 34, 35, 36, 37]
    assert dataset.task_indices("stack_wine").tolist() == []
    assert [dataset.stages(task) for task in TASKS] == [4, 30, 0]
    only = KeyframeDataset(path, ["push_button"])
    assert only.task_indices("push_button").tolist() == list(range(7))


def test_tasks_that_are_not_there_are_named_with_those_that_are(path: Path) -> None:
    with pytest.raises(UnknownTaskError, match=r"'stack_whine'; valid names: push_button, reach_t"):
        KeyframeDataset(path, ["reach_target", "stack_whine"])
    dataset = KeyframeDataset(path, ["push_button"])
    with pytest.raises(UnknownTaskError, match=r"'reach_target'; valid names: push_button$"):
        dataset.task_indices("reach_target")
    with pytest.raises(UnknownTaskError, match=r"'reach_target'; valid names: push_button$"):
        dataset.stages("reach_target")
    for tasks in ([], ["push_button", "push_button"]):
        with pytest.raises(DataError, match="different tasks"):
            KeyframeDataset(path, tasks)


def test_a_finished_dataset_says_how_it_was_made(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = KeyframeDataset(path)
    assert dataset.complete
    assert (dataset.cameras, dataset.image_size) == (CAMERAS, 8)
    assert dataset.recipe == {"method": "stopped"}
    assert "40 samples, 5 episodes, 3 tasks" in repr(dataset)


def test_the_layout_is_that_of_diffusion_policys_replay_buffer(path: Path) -> None:
    root = zarr.open_group(path, mode="r")
    assert set(root.group_keys()) == {"data", "meta"}
    ends = root["meta/episode_ends"][:]
    assert ends.dtype == np.int64
    assert ends.tolist() == [1, 4, 34, 38, 40]
    assert set(root["data"].array_keys()) == layout.fields(CAMERAS, 8).keys()
    assert {array.shape[0] for _, array in root["data"].arrays()} == {40}
    assert {array.shape for _, array in root["meta"].arrays()} == {(5,)}
    assert list(root.attrs["tasks"]) == list(TASKS)


def test_what_is_no_dataset_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no keyframe dataset at"):
        KeyframeDataset(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no keyframe dataset at"):
        KeyframeDataset(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="no keyframe dataset at"):
        KeyframeDataset(tmp_path / "file")
    zarr.create_group(tmp_path / "other.zarr")
    with pytest.raises(DatasetMismatchError, match="not a robomtl keyframe dataset"):
        KeyframeDataset(tmp_path / "other.zarr")
    zarr.create_group(tmp_path / "newer.zarr", attributes={"kind": layout.KIND, "format": 99})
    with pytest.raises(UnsupportedFormatError, match="has format 99"):
        KeyframeDataset(tmp_path / "newer.zarr")


def test_an_incomplete_dataset_says_so_and_shows_what_is_there(
    make_samples: MakeSamples, tmp_path: Path
) -> None:
    key = DemoKey("push_button", 0, 0)
    writer = KeyframeWriter(tmp_path / "d.zarr", TASKS, CAMERAS, 8)
    for count in range(3):
        so_far = ("0 episodes", "1 episode", "2 episodes")[count]
        with pytest.warns(IncompleteDatasetWarning, match=f"has {so_far} so far. Run the comm"):
            dataset = KeyframeDataset(tmp_path / "d.zarr")
        assert not dataset.complete
        assert dataset.load()["action"].shape == (2 * count, 8)
        writer.append(key._replace(seed=count), make_samples(key._replace(seed=count), 2))
    writer.finish()
    assert KeyframeDataset(tmp_path / "d.zarr").complete


def test_a_reader_keeps_to_what_was_there_when_it_opened(
    make_samples: MakeSamples, tmp_path: Path
) -> None:
    key = DemoKey("push_button", 0, 0)
    with KeyframeWriter(tmp_path / "d.zarr", TASKS, CAMERAS, 8) as writer:
        writer.append(key, make_samples(key))
        with pytest.warns(IncompleteDatasetWarning):
            dataset = KeyframeDataset(tmp_path / "d.zarr")
        writer.append(key._replace(seed=1), make_samples(key._replace(seed=1)))
        writer.finish()
    expected = {**make_samples(key), "task": np.zeros(3, int)}
    assert_equal(dataset.load(), expected)


@pytest.fixture
def copy(make_samples: MakeSamples, tmp_path: Path) -> Path:
    path = tmp_path / "copy.zarr"
    key = DemoKey("push_button", 0, 0)
    with KeyframeWriter(path, TASKS, CAMERAS, 8) as writer:
        writer.append(key, make_samples(key, 20))
        writer.finish()
    return path


def test_a_damaged_chunk_is_named(copy: Path) -> None:
    chunk = copy / "data" / "wrist_rgb" / "c" / "1" / "0" / "0" / "0"
    chunk.write_bytes(b"garbage")
    dataset = KeyframeDataset(copy)
    with pytest.raises(CorruptDatasetError, match=r"wrist_rgb is damaged in rows .*delete the dat"):
        dataset.load()
    with pytest.raises(CorruptDatasetError, match=r"wrist_rgb is damaged in rows 8 to 8"):
        dataset[8]
    assert dataset[7]["wrist_rgb"].shape == (8, 8, 3)


def test_a_chunk_that_was_lost_does_not_read_as_zeros(copy: Path) -> None:
    (copy / "data" / "front_depth" / "c" / "1" / "0" / "0").unlink()
    with pytest.raises(
        CorruptDatasetError, match=r"front_depth has 2 of 3 chunks.* copied only in"
    ):
        KeyframeDataset(copy)


def test_a_chunk_that_was_lost_is_not_written_as_zeros(copy: Path) -> None:
    (copy / "data" / "action" / "c" / "0" / "0").unlink()
    with pytest.raises(CorruptDatasetError, match=r"action has 0 of 1 chunks.* copied only in"):
        KeyframeWriter(copy, TASKS, CAMERAS, 8)
    assert not (copy / "data" / "action" / "c" / "0" / "0").exists()


@pytest.mark.parametrize("name", ["task", "variation", "seed", "ends"])
def test_a_lost_chunk_of_what_tells_episodes_apart_is_noticed(copy: Path, name: str) -> None:
    (copy / "meta" / f"episode_{name}" / "c" / "0").unlink()
    with pytest.raises(CorruptDatasetError, match=rf"episode_{name} lacks chunks.* copied only in"):
        KeyframeDataset(copy)
    with pytest.raises(CorruptDatasetError, match=f"episode_{name} lacks chunks"):
        KeyframeWriter(copy, TASKS, CAMERAS, 8)


@pytest.mark.parametrize("name", ["data/action", "meta/episode_seed", "meta/episode_ends"])
def test_an_array_that_was_lost_is_named(copy: Path, name: str) -> None:
    (copy / name / "zarr.json").unlink()
    with pytest.raises(CorruptDatasetError, match=f"{name} is missing or damaged"):
        KeyframeDataset(copy)


@pytest.mark.parametrize("name", [".", "data/wrist_rgb"])
def test_a_description_that_was_cut_is_named(copy: Path, name: str) -> None:
    file = copy / name / "zarr.json"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CorruptDatasetError, match=r"zarr.json is damaged|is missing or damaged"):
        KeyframeDataset(copy)
