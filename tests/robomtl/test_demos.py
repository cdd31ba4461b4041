"""Demonstrations of others: `robomtl demos`, and learning from folders that RLBench could have."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from robomtl.cli import main
from robomtl.data import CAMERAS, Demo, DemoStore, KeyframeDataset, RLBenchFolder, open_demos
from robomtl.data.observation import LOW_DIM
from robomtl.demos import DemosExportConfig, export_demos
from robomtl.envs import make

SIZE = ("--image-size", 16)
ONE = ("--workers", 1)
SHORT = ("--iterations", 4, "--batch-size", 4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the shortest demonstrations there are."""
    path = tmp_path_factory.mktemp("demos")
    env = make("reach_target", cameras=())
    for seed in range(2):
        DemoStore(path).add(env.collect_demo(seed))
    env.close()
    return path


@pytest.fixture(scope="module")
def exported(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in RLBench's format; nobody may change it."""
    path = tmp_path_factory.mktemp("exported") / "rlbench"
    export_demos(DemosExportConfig(demos=store, out=path, image_size=16, workers=1))
    return path


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    """A copy of that to change."""
    return shutil.copytree(exported, tmp_path / "copied")


def test_an_export_shows_what_the_cameras_see(exported: Path, store: Path) -> None:
    folder = open_demos(exported)
    assert isinstance(folder, RLBenchFolder)
    assert folder.keys() == DemoStore(store).keys()
    env = make("reach_target", cameras=CAMERAS, image_size=16)
    demo, original = folder.load("reach_target", 0, 1), DemoStore(store).load("reach_target", 0, 1)
    assert demo.descriptions == original.descriptions
    for name in original.columns:
        np.testing.assert_array_equal(demo.column(name), original.column(name))
    for frame in (0, len(demo) // 2, len(demo) - 1):
        expected = env.observe(original, frame, masks=True)
        for name, value in expected.items():
            atol = 1e-6 if name.endswith("_depth") else 0
            np.testing.assert_allclose(demo[frame][name], value, rtol=0, atol=atol)
        assert len(np.unique(expected["front_mask"])) > 3
    env.close()


def test_an_export_continues_where_it_was(printed, copied: Path, store: Path) -> None:
    first, second = RLBenchFolder(copied).episodes()
    before = (first / "low_dim_obs.pkl").stat().st_mtime_ns
    shutil.rmtree(second)
    told = printed("demos", "export", "--demos", store, "--out", copied, *SIZE, *ONE)
    assert f"2 episodes in {copied}: 1 written now, 0 of them in place of damaged" in told
    assert len(RLBenchFolder(copied)) == 2
    assert (first / "low_dim_obs.pkl").stat().st_mtime_ns == before


def content(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize(
    ("file", "restored"),
    [
        ("episodes/episode0/wrist_rgb/0.png", 1),
        ("episodes/episode1/low_dim_obs.pkl", 1),
        ("episodes/episode1/checksums.sha256", 1),
        ("variation_descriptions.pkl", 2),  # whose checksum is in every episode
    ],
)
def test_an_export_restores_what_is_damaged(
    printed, exported: Path, copied: Path, store: Path, file: str, restored: int
) -> None:
    (copied / "reach_target" / "variation0" / file).write_bytes(b"damaged")
    told = printed("demos", "export", "--demos", store, "--out", copied, *SIZE, *ONE)
    written = f"{restored} written now, {restored} of them in place of damaged ones"
    assert f"2 episodes in {copied}: {written}" in told
    assert content(copied) == content(exported)


def test_an_export_joins_none_of_another_kind(refused, copied: Path, store: Path) -> None:
    before = content(copied)
    export = ("demos", "export", "--demos", store, *ONE, "--out")
    message = refused(*export, copied, "--image-size", 32)
    assert f"{copied} holds episodes with images of 16 pixels, not 32" in message
    message = refused(*export, copied, *SIZE, "--layout", "peract")
    assert f"{copied} holds episodes in the layout rlbench, not peract" in message
    assert "holds demonstrations of `robomtl collect`" in refused(*export, store)
    assert content(copied) == before


def test_an_export_overwrites_nothing_that_rlbench_saved(
    refused, copied: Path, store: Path
) -> None:
    (copied / "reach_target" / "variation0" / "episodes" / "episode0" / "checksums.sha256").unlink()
    before = content(copied)
    message = refused("demos", "export", "--demos", store, "--out", copied, *SIZE, *ONE)
    assert "episode0 was not written by robomtl" in message
    assert content(copied) == before


def test_a_check_names_every_damaged_file(printed, copied: Path, capsys) -> None:
    assert "nothing is wrong" in printed("demos", "check", copied, *ONE)
    first, second = RLBenchFolder(copied).episodes()
    (first / "wrist_rgb" / "0.png").unlink()
    (second / "front_depth" / "1.png").write_bytes(b"")
    with pytest.raises(SystemExit) as exit:
        main(["demos", "check", str(copied), "--workers", "1"])
    shown = capsys.readouterr()
    assert exit.value.code == 2
    assert str(first / "wrist_rgb" / "0.png") in shown.out
    assert str(second / "front_depth" / "1.png") in shown.out
    assert "2 problems in" in shown.err


def test_a_check_counts_a_missing_file_once(refused, copied: Path) -> None:
    episode, _ = RLBenchFolder(copied).episodes()
    (episode / "low_dim_obs.pkl").unlink()
    assert f"error: 1 problem in {copied}" in refused("demos", "check", copied, *ONE)


def test_a_check_reads_stores_too(printed, refused, store: Path, tmp_path: Path) -> None:
    assert "nothing is wrong" in printed("demos", "check", store, *ONE)
    copy = tmp_path / "reach_target" / "variation0"
    copy.mkdir(parents=True)
    (copy / "demo_000000.npz").write_bytes(b"damaged")
    (copy / "demo_1.npz").write_bytes(b"named by hand")
    assert "2 problems" in refused("demos", "check", tmp_path, *ONE)
    assert "has no demonstrations" in refused("demos", "check", tmp_path / "nowhere", *ONE)


def test_keyframes_of_an_export_are_those_of_the_store(
    printed, exported: Path, store: Path, tmp_path: Path
) -> None:
    datasets = []
    for name, demos in (("theirs", exported), ("ours", store)):
        path = tmp_path / f"{name}.zarr"
        printed("keyframes", "--demos", demos, "--out", path, *SIZE, *ONE)
        datasets.append(KeyframeDataset(path).load())
    theirs, ours = datasets
    for name in ours.keys() - {"symmetry"}:  # which RLBench's format has no place for
        atol = 1e-6 if name.endswith("_depth") else 0
        np.testing.assert_allclose(theirs[name], ours[name], rtol=0, atol=atol)


def test_images_of_another_size_or_camera_are_not_made_up(
    refused, printed, exported: Path, tmp_path: Path
) -> None:
    keyframes = ("keyframes", "--demos", exported, "--out", tmp_path / "out.zarr", *ONE)
    message = refused(*keyframes, "--image-size", 32)
    assert "have 16 x 16 pixels" in message
    assert "--image-size 16" in message
    printed(*keyframes, "--image-size", 16)  # as it says, into the same folder


def test_demonstrations_with_images_of_their_own_need_no_states(
    printed, refused, exported: Path, tmp_path: Path
) -> None:
    """As the real RLBench's are, collected into a store."""
    store = DemoStore(tmp_path / "store")
    for demo in RLBenchFolder(exported):
        seen = {name: demo.columns[name] for name in demo.columns if name.startswith("wrist")}
        recorded = {name: demo.columns[name] for name in LOW_DIM} | seen
        store.add(Demo(recorded, task=demo.task, variation=0, seed=demo.seed))
    keyframes = ("keyframes", "--demos", store.path, "--out", tmp_path / "out.zarr", *SIZE, *ONE)
    printed(*keyframes, "--cameras", "wrist")
    assert KeyframeDataset(tmp_path / "out.zarr").cameras == ("wrist",)
    again = ("keyframes", "--demos", store.path, "--out", tmp_path / "2.zarr", *SIZE, *ONE)
    assert "nor front_rgb" in refused(*again, "--cameras", "wrist", "front")


def test_nothing_is_collected_among_saved_episodes(refused, copied: Path) -> None:
    before = sorted(copied.rglob("*"))
    message = refused("collect", "--tasks", "push_button", *ONE, "--out", copied)
    assert f"{copied} holds episodes in RLBench's saved format" in message
    assert sorted(copied.rglob("*")) == before


@pytest.mark.parametrize("kind", ["exported", "store"])
def test_a_policy_learns_from_a_folder_of_demonstrations(
    printed, request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    demos, run = request.getfixturevalue(kind), tmp_path / "run"
    sizes = (*SIZE, "--network.crop", 16)
    train = ("train", "--demos", demos, "--out", run, *sizes, *ONE, *SHORT, "--device", "cpu")
    assert str(run / "checkpoints" / "policy.pt") in printed(*train)
    assert KeyframeDataset(run / "keyframes.zarr").complete
    config = json.loads((run / "config.json").read_text())
    assert config["data"] == str(run / "keyframes.zarr")


def test_a_policy_learns_from_a_dataset_or_from_demonstrations_not_both(
    refused, tmp_path: Path
) -> None:
    message = refused("train", "--data", tmp_path, "--demos", tmp_path, "--out", tmp_path / "run")
    assert "--demos" in message
    assert "--data" in message
    assert "not allowed together" in message


def test_an_export_for_peract_has_all_variations_in_one_folder(store: Path, tmp_path: Path) -> None:
    config = DemosExportConfig(demos=store, out=tmp_path, image_size=16, layout="peract", workers=1)
    folders = export_demos(config)
    assert {path.parent.parent.name for path in folders} == {"all_variations"}
    assert RLBenchFolder(tmp_path).keys() == DemoStore(store).keys()


def test_an_episode_of_another_variation_is_not_taken_for_a_demonstration(
    refused, store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_demos(DemosExportConfig(demos=store, out=out, image_size=16, layout="peract", workers=1))
    other = DemoStore(tmp_path / "other")
    demo = DemoStore(store).load("reach_target", 0, 1)
    other.add(Demo(demo.columns, task="reach_target", variation=1, seed=1))
    export = ("demos", "export", "--demos", other.path, "--out", out, *SIZE, *ONE)
    message = refused(*export, "--layout", "peract")
    assert "episode1 is of variation 0" in message
    assert "of variation 1" in message
    assert "--out" in message


def test_two_demonstrations_are_never_exported_as_the_same_episode(refused, tmp_path: Path) -> None:
    store = DemoStore(tmp_path / "store")
    for variation in range(2):
        columns = {"gripper_pose": np.zeros((2, 7))}
        store.add(Demo(columns, task="push_button", variation=variation, seed=3))
    export = ("demos", "export", "--demos", store.path, "--out", tmp_path / "out", *ONE)
    message = refused(*export, "--layout", "peract")
    assert "episode3" in message
    assert "--layout rlbench" in message
    assert "has no left_shoulder_rgb" in refused(*export)
    assert "no demonstrations of stack_wine" in refused(*export, "--tasks", "stack_wine")
    assert "at least 1, not 0" in refused(*export, "--image-size", 0)
