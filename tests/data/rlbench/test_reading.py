"""Files of every age: of numpy 1 and 2, without `misc`, with fields that came later."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from robomtl.data import (
    CAMERAS,
    CorruptDemoError,
    Demo,
    DemoStore,
    MissingDemoError,
    UnknownFieldError,
    UnsupportedFormatError,
    find_keyframes,
    read_rlbench_demo,
    write_rlbench_demo,
)
from robomtl.data.observation import LOW_DIM

MakeDemo = Callable[..., Demo]
Change = Callable[[Any], None]


@pytest.fixture
def saved(episode: Path, rlbench_classes: tuple[type, type]) -> Any:
    """What is in the episode's pickle, as objects of classes that `pickle` saves."""
    return pickle.loads((episode / "low_dim_obs.pkl").read_bytes())


@pytest.fixture
def save(episode: Path) -> Callable[..., Path]:
    """Puts another pickle into the episode, which then has no checksums, as RLBench's own."""

    def put(content: Any, protocol: int = 3) -> Path:
        (episode / "checksums.sha256").unlink(missing_ok=True)
        (episode / "low_dim_obs.pkl").write_bytes(pickle.dumps(content, protocol))
        return episode

    return put


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_pickles_that_python_itself_wrote_are_read(
    demo: Demo, saved: Any, save: Callable[..., Path], protocol: int
) -> None:
    again = read_rlbench_demo(save(saved, protocol))
    for name in demo.columns:
        if not name.endswith("_depth"):
            np.testing.assert_array_equal(again.column(name), demo.column(name))


def test_names_of_numpy_1_and_2_are_known(demo: Demo, saved: Any, save: Callable[..., Path]):
    path = save(saved) / "low_dim_obs.pkl"
    modern = path.read_bytes()
    ancient = modern.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert modern != ancient
    for content in (modern, ancient):
        path.write_bytes(content)
        assert read_rlbench_demo(path.parent).column("gripper_pose").tolist() == (
            demo.column("gripper_pose").tolist()
        )


def test_attributes_that_came_later_or_were_not_there_yet_do_no_harm(
    demo: Demo, saved: Any, save: Callable[..., Path]
) -> None:
    del saved.num_reset_attempts, saved.variation_number
    saved.random_seed = np.random.RandomState(0).get_state()
    for observation in saved._observations:
        del observation.ignore_collisions
        observation.misc["joint_poses"] = [np.eye(4)] * 3
        observation.wrist_camera_matrix = np.eye(4)
        observation.tomorrow = {"and": ["the", ("day", 1, 2.0, None, True, 2**40, -1)]}
        observation.gripper_open = np.float64(observation.gripper_open)
    again = read_rlbench_demo(save(saved))
    assert again.columns.keys() == demo.columns.keys()
    np.testing.assert_array_equal(again.column("gripper_open"), demo.column("gripper_open"))
    assert again.attempts == 1


@pytest.mark.parametrize("misc", ["gone", None, {}])
def test_without_misc_there_is_no_depth_but_everything_else(
    saved: Any, save: Callable[..., Path], misc: Any
) -> None:
    for observation in saved._observations:
        observation.misc = misc
        if misc == "gone":
            del observation.misc
    demo = read_rlbench_demo(save(saved))
    seen = {f"{camera}_{kind}" for camera in CAMERAS for kind in ("rgb", "mask")}
    assert demo.columns.keys() == {*LOW_DIM, *seen}
    with pytest.raises(UnknownFieldError, match=r"'wrist_depth'; valid names: .*wrist_rgb"):
        demo.column("wrist_depth")


def test_fields_that_were_not_recorded_are_no_columns(
    saved: Any, save: Callable[..., Path]
) -> None:
    for observation in saved._observations:
        observation.joint_forces = observation.task_low_dim_state = None
    demo = read_rlbench_demo(save(saved))
    assert LOW_DIM.keys() - demo.columns.keys() == {"joint_forces", "task_low_dim_state"}


def test_a_task_state_that_changes_its_size_is_no_column(
    saved: Any, save: Callable[..., Path]
) -> None:
    saved._observations[1].task_low_dim_state = np.zeros(9)
    assert "task_low_dim_state" not in read_rlbench_demo(save(saved)).columns
    saved._observations[1].task_low_dim_state = None
    assert "task_low_dim_state" not in read_rlbench_demo(save(saved)).columns


def test_cameras_that_were_not_there_yet_are_no_columns(episode: Path) -> None:
    (episode / "checksums.sha256").unlink()
    for kind in ("rgb", "depth", "mask"):
        for picture in (episode / f"overhead_{kind}").iterdir():
            picture.unlink()
        (episode / f"overhead_{kind}").rmdir()
    demo = read_rlbench_demo(episode)
    assert "overhead_rgb" not in demo.columns
    assert "front_rgb" in demo.columns


def test_descriptions_that_are_an_observation_by_mistake_are_none(
    episode: Path, saved: Any, save: Callable[..., Path]
) -> None:
    save(saved)
    shared = episode.parent.parent / "variation_descriptions.pkl"
    shared.write_bytes(pickle.dumps(saved._observations[0], 3))
    assert read_rlbench_demo(episode).descriptions == ()
    shared.unlink()
    assert read_rlbench_demo(episode).descriptions == ()
    for wrong in (3, {"a": "b"}, [1], "text"):
        shared.write_bytes(pickle.dumps(wrong, 3))
        with pytest.raises(CorruptDemoError, match=r"variation_descriptions\.pkl is damaged"):
            read_rlbench_demo(episode)


def test_grey_depth_of_the_first_versions_is_refused(episode: Path) -> None:
    (episode / "checksums.sha256").unlink()
    for picture in (episode / "wrist_depth").iterdir():
        Image.new("L", (5, 4)).save(picture)
    with pytest.raises(UnsupportedFormatError, match=r"wrist_depth holds grey.*April 2020"):
        read_rlbench_demo(episode)


def without(name: str) -> Change:
    return lambda saved: delattr(saved._observations[1], name)


def with_value(name: str, value: Any) -> Change:
    return lambda saved: setattr(saved._observations[1], name, value)


def with_misc(name: str, value: Any) -> Change:
    return lambda saved: saved._observations[1].misc.update({name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("joint_velocities"), "frame 1 has no joint_velocities"),
        (with_value("joint_velocities", None), "joint_velocities comes and goes: frame 1"),
        (with_value("joint_velocities", np.zeros(6)), r"frame 1 has shape \(6,\), expected \(7,\)"),
        (with_value("joint_velocities", np.full(7, np.nan)), "joint_velocities is not finite"),
        (with_value("gripper_open", 0.5), "gripper_open is neither 0 nor 1"),
        (with_value("gripper_open", "open"), "gripper_open of frame 1 is a str"),
        (with_value("gripper_pose", np.ones(7)), "quaternion that is no rotation"),
        (with_value("misc", [1]), "misc is not a dict"),
        (with_misc("wrist_camera_far", 0.001), "near and far of the wrist camera"),
        (with_misc("wrist_camera_far", None), "wrist_camera_far comes and goes"),
        (with_misc("wrist_camera_extrinsics", np.ones((4, 4))), "a rotation that is none"),
        (with_misc("wrist_camera_intrinsics", np.zeros((3, 3))), "is no projection"),
        (lambda saved: saved._observations.pop(), "belongs to no frame: the episode has 2"),
        (lambda saved: saved._observations.append(saved._observations[0]), "3.png is missing"),
        (lambda saved: saved._observations.clear(), "belongs to no frame: the episode has 0"),
        (with_value("gripper_open", 10**400), "too large"),
        (lambda saved: saved._observations.append("frame"), "its frames are not observations"),
        (lambda saved: delattr(saved, "_observations"), "no demonstration of RLBench's"),
    ],
)
def test_what_no_robot_recorded_says_what_and_in_which_file(
    episode: Path, saved: Any, save: Callable[..., Path], change: Change, message: str
) -> None:
    change(saved)
    with pytest.raises(CorruptDemoError, match=message) as error:
        read_rlbench_demo(save(saved))
    assert str(episode) in str(error.value)


def test_all_of_a_camera_s_misc_is_needed(saved: Any, save: Callable[..., Path]) -> None:
    for observation in saved._observations:
        del observation.misc["wrist_camera_near"]
    with pytest.raises(CorruptDemoError, match="misc of the wrist camera lacks near"):
        read_rlbench_demo(save(saved))


def test_pictures_of_different_sizes_are_refused(episode: Path) -> None:
    (episode / "checksums.sha256").unlink()
    Image.new("RGB", (6, 4)).save(episode / "wrist_rgb" / "1.png")
    demo = read_rlbench_demo(episode)
    with pytest.raises(CorruptDemoError, match=r"1\.png has 6 x 4 pixels.*has 5 x 4"):
        demo.column("wrist_rgb")


def test_the_variation_is_what_the_file_and_the_folder_say(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "push_button" / "all_variations" / "episodes" / "episode0"
    write_rlbench_demo(demo, folder)
    (folder / "checksums.sha256").unlink()
    number = folder / "variation_number.pkl"
    number.write_bytes(pickle.dumps(np.int64(5), 3))
    assert read_rlbench_demo(folder).variation == 5
    for wrong in (-1, True, "2", None):
        number.write_bytes(pickle.dumps(wrong, 3))
        with pytest.raises(CorruptDemoError, match=r"variation_number\.pkl is damaged"):
            read_rlbench_demo(folder)
    number.unlink()
    with pytest.raises(CorruptDemoError, match=r"variation_number\.pkl is missing"):
        read_rlbench_demo(folder)
    named = tmp_path / "push_button" / "variation2" / "episodes" / "episode0"
    write_rlbench_demo(demo, named)
    (named / "variation_number.pkl").write_bytes(pickle.dumps(3, 3))
    (named / "checksums.sha256").unlink()
    with pytest.raises(CorruptDemoError, match="says variation 3, the folder variation 2"):
        read_rlbench_demo(named)


def test_no_episode_is_no_demo(tmp_path: Path) -> None:
    with pytest.raises(MissingDemoError, match="there is no episode at"):
        read_rlbench_demo(tmp_path / "task" / "variation0" / "episodes" / "episode0")


def test_keyframes_of_a_saved_demo_need_no_pictures(episode: Path, demo: Demo) -> None:
    lazy = read_rlbench_demo(episode)
    for folder in episode.glob("*_rgb"):
        for picture in folder.iterdir():
            picture.unlink()
    assert find_keyframes(lazy) == find_keyframes(demo)


def test_a_saved_demo_goes_into_a_store_with_its_pictures(episode: Path, tmp_path: Path) -> None:
    lazy = read_rlbench_demo(episode)
    DemoStore(tmp_path / "store").add(lazy)
    assert DemoStore(tmp_path / "store").load(*lazy.key).digest() == lazy.digest()
