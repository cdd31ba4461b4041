import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from robomtl.data import (
    DataError,
    Demo,
    DemoKey,
    DemoStore,
    MissingDemoError,
    RLBenchFolder,
    UnsupportedFormatError,
    open_demos,
    write_rlbench_demo,
)
from robomtl.data.rlbench import stray_problems

MakeDemo = Callable[..., Demo]
KEYS = [
    DemoKey("pick_up_cup", 0, 0),
    DemoKey("push_button", 0, 2),
    DemoKey("push_button", 0, 10),
    DemoKey("push_button", 11, 1),
]


def place(key: DemoKey, peract: bool = False) -> Path:
    between = "all_variations" if peract else f"variation{key.variation}"
    return Path(key.task) / between / "episodes" / f"episode{key.seed}"


@pytest.fixture(scope="module", params=[False, True], ids=["rlbench", "peract"])
def root(
    request: pytest.FixtureRequest,
    make_recorded: MakeDemo,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder of episodes in either layout; nobody may change it."""
    root = tmp_path_factory.mktemp("root")
    for key in KEYS:
        demo = make_recorded(key.seed, 2, (2, 2), task=key.task, variation=key.variation)
        write_rlbench_demo(demo, root / place(key, request.param))
    return root


def test_a_folder_is_read_as_a_store_is(root: Path, make_recorded: MakeDemo) -> None:
    folder = open_demos(root)
    assert isinstance(folder, RLBenchFolder)
    assert folder.keys() == KEYS
    assert folder.keys("push_button") == KEYS[1:]
    assert folder.keys("stack_wine") == []
    assert len(folder) == len(KEYS)
    assert [demo.key for demo in folder] == KEYS
    for key in KEYS:
        assert key in folder
        assert folder.load(*key).key == key
    assert "push_button" in repr(folder)


@pytest.mark.parametrize(
    "key", [("push_button", 0, 1), ("push_button", 1, 2), ("stack_wine", 0, 0)]
)
def test_a_demo_that_is_not_there_is_missing(root: Path, key: tuple[str, int, int]) -> None:
    folder = RLBenchFolder(root)
    assert DemoKey(*key) not in folder
    with pytest.raises(MissingDemoError, match="its tasks: pick_up_cup, push_button"):
        folder.load(*key)


def test_the_folder_of_one_task_is_enough(root: Path) -> None:
    folder = RLBenchFolder(root / "push_button")
    assert folder.keys() == KEYS[1:]
    assert folder.load(*KEYS[1]).key == KEYS[1]


def test_other_files_beside_tasks_and_variations_do_no_harm(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / "README").write_text("mine")
    (copy / "push_button" / "notes").mkdir()
    (copy / "stack_wine").mkdir()
    assert RLBenchFolder(copy).keys() == KEYS
    assert stray_problems(RLBenchFolder(copy)) == []
    episodes = RLBenchFolder(copy).episodes("pick_up_cup")[0].parent
    (episodes / ".DS_Store").write_text("")
    (episodes / "episode7.zip").write_text("")
    assert RLBenchFolder(copy).keys() == KEYS
    problems = stray_problems(RLBenchFolder(copy))
    assert [".DS_Store" in problems[0], "episode7.zip" in problems[1]] == [True, True]


def test_a_folder_says_what_was_looked_for(tmp_path: Path, make_demo: MakeDemo, root: Path) -> None:
    for wrong in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"demo_<seed>\.npz.*robomtl collect.*episode<M>"):
            open_demos(wrong)
        with pytest.raises(DataError, match=r"holds no episodes|there is no folder"):
            RLBenchFolder(wrong)
    DemoStore(tmp_path).add(make_demo())
    assert isinstance(open_demos(tmp_path), DemoStore)
    shutil.copytree(root / "pick_up_cup", tmp_path / "pick_up_cup")
    with pytest.raises(DataError, match="of robomtl's and of RLBench's"):
        open_demos(tmp_path)


def test_a_task_in_both_layouts_is_refused(tmp_path: Path, make_recorded: MakeDemo) -> None:
    demo = make_recorded(0, 2, (2, 2))
    for peract in (False, True):
        write_rlbench_demo(demo, tmp_path / place(demo.key, peract))
    with pytest.raises(UnsupportedFormatError, match="all_variations and variation2"):
        RLBenchFolder(tmp_path)
