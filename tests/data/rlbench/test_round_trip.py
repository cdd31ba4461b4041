"""What is written comes back, also to those who read with the real `pickle` and `Image.open`."""

import pickle
import pickletools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from robomtl.data import (
    CAMERAS,
    DataError,
    Demo,
    InvalidDemoError,
    point_cloud,
    read_rlbench_demo,
    write_rlbench_demo,
)
from robomtl.data.observation import LOW_DIM
from robomtl.data.rlbench.layout import FAR, NEAR

MakeDemo = Callable[..., Demo]
STEPS = 2**24 - 1


def half_step(camera: str) -> float:
    """Half of what a depth file can tell apart, and what float32 cannot."""
    return (FAR[camera] - NEAR) / STEPS / 2 + float(np.spacing(np.float32(FAR[camera]))) / 2


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    frames=st.integers(2, 4),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    variation=st.integers(0, 99),
    descriptions=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
    attempts=st.integers(1, 10),
    peract=st.booleans(),
)
def test_a_demo_survives_rlbench_s_format(
    make_recorded: MakeDemo,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    frames: int,
    size: tuple[int, int],
    variation: int,
    descriptions: list[str],
    attempts: int,
    peract: bool,
) -> None:
    demo = make_recorded(
        seed,
        frames,
        size,
        variation=variation,
        descriptions=descriptions,
        attempts=attempts,
    )
    between = "all_variations" if peract else f"variation{variation}"
    folder = tmp_path_factory.mktemp("root") / "push_button" / between / "episodes"
    write_rlbench_demo(demo, folder / f"episode{seed}")
    again = read_rlbench_demo(folder / f"episode{seed}")
    assert (again.key, again.descriptions, again.attempts) == (
        demo.key,
        demo.descriptions,
        demo.attempts,
    )
    assert again.columns.keys() == demo.columns.keys()
    for name in demo.columns:
        theirs, ours = again.column(name), demo.column(name)
        assert (theirs.dtype, theirs.shape) == (ours.dtype, ours.shape)
        if name.endswith("_depth"):
            assert np.abs(theirs - ours).max() <= half_step(name[: -len("_depth")])
        else:
            assert theirs.tobytes() == ours.tobytes()


def test_depth_that_rlbench_s_camera_does_not_see_is_put_on_its_planes(
    make_recorded: MakeDemo, tmp_path: Path
) -> None:
    demo = make_recorded(size=(1, 3))
    columns = dict(demo.columns)
    columns["front_depth"] = np.tile(np.float32([0, 2, 100]), (3, 1, 1))
    demo = Demo(columns, task="push_button", variation=2, seed=0)
    folder = tmp_path / "push_button" / "variation2" / "episodes" / "episode0"
    write_rlbench_demo(demo, folder)
    read = read_rlbench_demo(folder)[0].front_depth
    np.testing.assert_allclose(read[0], [NEAR, 2, FAR["front"]], atol=half_step("front"))


def test_the_pickle_is_one_that_rlbench_unpickles(
    demo: Demo, episode: Path, rlbench_classes: tuple[type, type]
) -> None:
    content = (episode / "low_dim_obs.pkl").read_bytes()
    saved = pickle.loads(content)
    assert type(saved) is rlbench_classes[0]
    assert (saved.random_seed, saved.num_reset_attempts) == (None, 1)
    assert len(saved._observations) == len(demo)
    for frame, observation in zip(demo, saved._observations, strict=True):
        assert type(observation) is rlbench_classes[1]
        assert type(observation.gripper_open) is float
        for name in LOW_DIM:
            np.testing.assert_array_equal(getattr(observation, name), frame[name])
        for camera in CAMERAS:
            for kind in ("rgb", "depth", "mask", "point_cloud"):
                assert getattr(observation, f"{camera}_{kind}") is None
            for kind in ("extrinsics", "intrinsics"):
                name = f"{camera}_camera_{kind}"
                np.testing.assert_array_equal(observation.misc[name], frame[name])
            assert observation.misc[f"{camera}_camera_near"] == NEAR
            assert observation.misc[f"{camera}_camera_far"] == FAR[camera]
    shared = episode.parent.parent / "variation_descriptions.pkl"
    assert pickle.loads(shared.read_bytes()) == ["press it"]


def test_the_pickle_asks_for_nothing_but_rlbench_and_both_numpys(episode: Path) -> None:
    content = (episode / "low_dim_obs.pkl").read_bytes()
    operations = list(pickletools.genops(content))
    assert operations[0][:2] == (operations[0][0], 3)
    names = {argument for operation, argument, _ in operations if operation.name == "GLOBAL"}
    assert names == {
        "rlbench.demo Demo",
        "rlbench.backend.observation Observation",
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
    }


def test_pictures_are_coded_as_rlbench_codes_them(demo: Demo, episode: Path) -> None:
    for camera in CAMERAS:
        for i, frame in enumerate(demo):
            rgb, depth, mask = (
                np.asarray(Image.open(episode / f"{camera}_{kind}" / f"{i}.png"))
                for kind in ("rgb", "depth", "mask")
            )
            np.testing.assert_array_equal(rgb, frame[f"{camera}_rgb"])
            steps = depth.astype(int) @ (65536, 256, 1)
            part = (frame[f"{camera}_depth"].astype(float) - NEAR) / (FAR[camera] - NEAR)
            np.testing.assert_array_equal(steps, np.floor(part * STEPS + 0.5))
            numbers = mask.astype(int) @ (1, 256, 65536)
            np.testing.assert_array_equal(numbers, frame[f"{camera}_mask"])


def test_point_clouds_are_those_of_rlbench_s_formula(episode: Path) -> None:
    """The formula of PyRep's `pointcloud_from_depth_and_camera_params`, in float64."""
    demo = read_rlbench_demo(episode)
    for frame in demo:
        for camera in CAMERAS:
            depth = frame[f"{camera}_depth"].astype(float)
            inside = frame[f"{camera}_camera_intrinsics"]
            outside = frame[f"{camera}_camera_extrinsics"]
            v, u = np.indices(depth.shape)
            pixels = np.stack([u * depth, v * depth, depth], axis=-1)
            world = (np.linalg.inv(inside) @ pixels[..., None])[..., 0]
            world = world @ outside[:3, :3].T + outside[:3, 3]
            ours = point_cloud(frame[f"{camera}_depth"], inside, outside)
            np.testing.assert_allclose(ours, world, atol=1e-5)


def test_a_file_list_that_sha256sum_checks(episode: Path) -> None:
    command = ["sha256sum", "--check", "--strict", "--quiet", "checksums.sha256"]
    assert subprocess.run(command, cwd=episode, capture_output=True).returncode == 0
    (episode / "wrist_rgb" / "1.png").write_bytes(b"")
    assert subprocess.run(command, cwd=episode, capture_output=True).returncode == 1


def test_nothing_lies_where_rlbench_lists_episodes_and_pictures(demo: Demo, episode: Path) -> None:
    assert [path.name for path in episode.parent.iterdir()] == ["episode0"]
    root = {path.name for path in episode.parent.parent.iterdir()}
    assert root == {"episodes", "variation_descriptions.pkl"}
    for camera in CAMERAS:
        for kind in ("rgb", "depth", "mask"):
            names = {path.name for path in (episode / f"{camera}_{kind}").iterdir()}
            assert names == {f"{frame}.png" for frame in range(len(demo))}


def test_peract_finds_what_it_looks_for(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "push_button" / "all_variations" / "episodes" / "episode7"
    write_rlbench_demo(demo, folder)
    assert pickle.loads((folder / "variation_number.pkl").read_bytes()) == 2
    assert pickle.loads((folder / "variation_descriptions.pkl").read_bytes()) == ["press it"]
    assert read_rlbench_demo(folder).key == ("push_button", 2, 7)


def test_a_demo_that_rlbench_would_not_load_is_not_written(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "push_button" / "variation2" / "episodes" / "episode0"
    blind = {name: demo.column(name) for name in demo.columns if not name.startswith("front_")}
    with pytest.raises(InvalidDemoError, match=r"no front_rgb, front_depth, front_mask.*all five"):
        write_rlbench_demo(Demo(blind, task="push_button", variation=2, seed=0), folder)
    negative = {**demo.columns, "wrist_mask": np.full((3, 4, 5), -1, np.int32)}
    with pytest.raises(InvalidDemoError, match="a mask has numbers from -1"):
        write_rlbench_demo(Demo(negative, task="push_button", variation=2, seed=0), folder)
    assert [
        path for path in tmp_path.rglob("*") if path.is_file() and "episode0" in str(path)
    ] == []


@pytest.mark.parametrize(
    "place",
    [
        "push_button/variation1/episodes/episode0",
        "reach_target/variation2/episodes/episode0",
        "push_button/variation2/episode0",
        "push_button/variation2/episodes/demo0",
    ],
)
def test_a_demo_is_written_only_where_it_belongs(demo: Demo, tmp_path: Path, place: str) -> None:
    with pytest.raises(DataError, match=r"cannot be an episode of|is not the folder of an episode"):
        write_rlbench_demo(demo, tmp_path / place)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(demo: Demo, episode: Path) -> None:
    with pytest.raises(DataError, match="exists already"):
        write_rlbench_demo(demo, episode)


def test_episodes_of_a_variation_share_their_descriptions(
    make_recorded: MakeDemo, episode: Path
) -> None:
    other = make_recorded(1, descriptions=("push it",))
    with pytest.raises(InvalidDemoError, match=r"\['push it'\].*\['press it'\]"):
        write_rlbench_demo(other, episode.with_name("episode1"))
    write_rlbench_demo(make_recorded(1), episode.with_name("episode1"))
    assert read_rlbench_demo(episode.with_name("episode1")).descriptions == ("press it",)


def test_an_interrupted_write_leaves_no_episode(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "push_button" / "variation2" / "episodes" / "episode0"

    def interrupted(_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("robomtl.data.rlbench.writing.pickled", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_rlbench_demo(demo, folder)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    write_rlbench_demo(demo, folder)
    assert read_rlbench_demo(folder).key == demo.key


def test_pictures_stay_on_disk_until_they_are_looked_at(episode: Path) -> None:
    demo = read_rlbench_demo(episode)
    (episode / "wrist_rgb" / "2.png").unlink()
    assert demo[1].wrist_rgb.shape == (4, 5, 3)
    with pytest.raises(DataError, match=r"wrist_rgb/2\.png is missing"):
        demo[2]
    with pytest.raises(DataError, match=r"wrist_rgb/2\.png is missing"):
        demo.column("wrist_rgb")
    assert demo.column("front_rgb").shape == (3, 4, 5, 3)


def test_what_a_killed_writer_left_is_removed_by_the_next(
    make_recorded: MakeDemo, episode: Path
) -> None:
    code = f"""
import os
from pathlib import Path
from robomtl.data.atomic import temporary_path
left = temporary_path(Path({str(episode.parent.parent / "episode1")!r}))
(left / "wrist_rgb").mkdir(parents=True)
(left / "wrist_rgb" / "0.png").write_bytes(b"half")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False)
    variation = episode.parent.parent
    assert len(list(variation.glob(".*.tmp"))) == 1
    write_rlbench_demo(make_recorded(1), episode.with_name("episode1"))
    assert list(variation.glob(".*.tmp")) == []
