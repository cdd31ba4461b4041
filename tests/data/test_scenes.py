"""A benchmark of scenes: read back as it was written, or not at all."""

import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from robomtl.data.exceptions import (
    CorruptDatasetError,
    DataError,
    InvalidSamplesError,
    UnsupportedFormatError,
)
from robomtl.data.scenes import CLASSES, SPLITS, SceneImages, Scenes, load_scenes, save_scenes

FIELDS = ("rgb", "segmentation", "depth", "normals")


def random_images(count, size=16, seed=0):
    rng = np.random.default_rng([seed, count])
    shape = (count, size, size)
    return SceneImages(
        rgb=rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
        segmentation=rng.integers(-1, len(CLASSES), shape, dtype=np.int8),
        depth=rng.uniform(0, 5, shape).astype(np.float32),
        normals=rng.normal(size=(*shape, 3)).astype(np.float16),
    )


def random_scenes(seed=0):
    counts = zip(SPLITS, (5, 2, 3), strict=True)
    splits = {split: random_images(count, seed=seed) for split, count in counts}
    return Scenes(splits=splits, recipe={"seed": seed, "tasks": ["reach_target"]})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "folder" / "scenes.npz"
    save_scenes(path, random_scenes())
    return path


def test_scenes_are_read_back_as_they_were_written(path):
    original, read = random_scenes(), load_scenes(path)
    assert read.recipe == original.recipe
    for split in SPLITS:
        for field in FIELDS:
            ours, theirs = (getattr(s.splits[split], field) for s in (original, read))
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


def test_numpy_reads_the_file_too(path):
    with np.load(path) as file:
        np.testing.assert_array_equal(file["test/depth"], random_scenes().splits["test"].depth)


def test_equal_scenes_are_equal_bytes(path, tmp_path):
    save_scenes(tmp_path / "again.npz", random_scenes())
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_no_file_is_an_error_that_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match=r"robomtl scenes collect --out .*nowhere\.npz"):
        load_scenes(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_refused(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(CorruptDatasetError, match=r"scenes\.npz is damaged"):
        load_scenes(path)


def test_a_flipped_bit_is_noticed_or_harmless(path):
    content, original = path.read_bytes(), random_scenes()
    rng = np.random.default_rng(0)
    noticed = 0
    for _ in range(60):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            read = load_scenes(path)
        except DataError:
            noticed += 1
        else:
            for split in SPLITS:
                for field in FIELDS:
                    ours, theirs = (getattr(s.splits[split], field) for s in (original, read))
                    np.testing.assert_array_equal(ours, theirs)
    assert noticed > 50


def rewrite(path, change):
    """Write the archive again with members changed by `change(name, content)`; None drops one."""
    old = path.with_suffix(".old")
    shutil.move(path, old)
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = change(name, source.read(name))
            if content is not None:
                target.writestr(name, content)


def test_a_missing_part_is_named(path):
    rewrite(path, lambda name, content: None if name == "test/depth.npy" else content)
    with pytest.raises(CorruptDatasetError, match=r"test/depth\.npy"):
        load_scenes(path)


def test_parts_that_do_not_fit_together_are_refused(path):
    with zipfile.ZipFile(path) as archive:
        other = archive.read("validation/rgb.npy")
    rewrite(path, lambda name, content: other if name == "train/rgb.npy" else content)
    expected = r"rgb is uint8 of shape \(2, 16, 16, 3\), expected uint8 of shape \(5, 16, 16, 3\)"
    with pytest.raises(CorruptDatasetError, match=expected):
        load_scenes(path)


@pytest.mark.parametrize("change", [{"format": 0}, {"classes": ["room", "table"]}])
def test_another_versions_file_is_refused(path, change):
    def edit(name, content):
        return json.dumps(json.loads(content) | change) if name == "metadata.json" else content

    rewrite(path, edit)
    with pytest.raises(UnsupportedFormatError, match="make it again"):
        load_scenes(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": np.zeros((5, 16, 8), np.float32)}, r"depth has shape \(5, 16, 8\)"),
        ({"depth": np.zeros((5, 16, 16))}, "depth is float64"),
        ({"depth": np.full((5, 16, 16), np.nan, np.float32)}, "depth has values"),
        ({"depth": np.full((5, 16, 16), -1, np.float32)}, "depth has values"),
        ({"segmentation": np.full((5, 16, 16), len(CLASSES), np.int8)}, "labels outside"),
        ({"segmentation": np.full((5, 16, 16), -2, np.int8)}, "labels outside"),
        ({"normals": np.full((5, 16, 16, 3), np.inf, np.float16)}, "normals has values"),
    ],
)
def test_images_that_cannot_be_are_refused(change, message):
    with pytest.raises(InvalidSamplesError, match=message):
        replace(random_images(5), **change)


def test_a_benchmark_has_all_splits_of_one_size_and_a_seed():
    splits = dict(random_scenes().splits)
    with pytest.raises(InvalidSamplesError, match="different sizes"):
        Scenes(splits=splits | {"test": random_images(3, size=8)}, recipe={"seed": 0})
    with pytest.raises(InvalidSamplesError, match="seed"):
        Scenes(splits=splits, recipe={})
    del splits["test"]
    with pytest.raises(InvalidSamplesError, match=r"not \['train', 'validation', 'test'\]"):
        Scenes(splits=splits, recipe={"seed": 0})


def test_noise_belongs_to_one_image_of_one_benchmark():
    scenes, other = random_scenes(), random_scenes(seed=1)
    maps = [scenes.noise(split, row) for split in SPLITS for row in range(2)]
    maps += [other.noise("train", row) for row in range(2)]
    np.testing.assert_array_equal(maps[0], random_scenes().noise("train", 0))
    correlation = np.corrcoef([noise.ravel() for noise in maps])
    assert np.abs(correlation - np.eye(len(maps))).max() < 0.25  # 4 standard deviations
    with pytest.raises(DataError, match="train, validation, test"):
        scenes.noise("val", 0)


def test_noise_is_uniform():
    scenes = random_scenes()
    values = np.concatenate([scenes.noise("train", row).ravel() for row in range(40)])
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() < 1
    counts, _ = np.histogram(values, bins=10, range=(0, 1))
    expected = len(values) / 10
    assert ((counts - expected) ** 2 / expected).sum() < 33  # chi squared of 9, p = 1e-4
