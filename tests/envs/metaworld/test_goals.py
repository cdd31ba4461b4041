"""Goals are those of Meta-World's benchmarks, drawn once and kept."""

from __future__ import annotations

import pickle
from pathlib import Path

import metaworld
import numpy as np
import pytest

from robomtl.envs import EnvError, UnknownNameError
from robomtl.envs.metaworld import goals as module
from robomtl.envs.metaworld import make_vec
from robomtl.envs.metaworld.fast_steps import fast
from robomtl.envs.metaworld.goals import benchmark_goals, cache_folder, draw_goal, draw_goals
from robomtl.envs.metaworld.names import BENCHMARKS, task_class


def stock_goals(benchmark: metaworld.Benchmark) -> dict[str, np.ndarray]:
    found: dict[str, list[np.ndarray]] = {}
    for task in benchmark.train_tasks:
        found.setdefault(task.env_name, []).append(pickle.loads(task.data)["rand_vec"])
    return {name: np.array(vectors) for name, vectors in found.items()}


def assert_equal(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    assert list(ours) == list(theirs)
    for task in ours:
        np.testing.assert_array_equal(ours[task], theirs[task], err_msg=task)


@pytest.mark.parametrize("task", ["push-v3", "peg-insert-side-v3"])
@pytest.mark.parametrize("seed", [0, 5])
def test_goals_of_mt1_are_meta_worlds(
    task: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metaworld, "_N_GOALS", 3)
    assert_equal(benchmark_goals("MT1", (task,), seed, 3), stock_goals(metaworld.MT1(task, seed)))


def test_one_stream_of_random_numbers_goes_through_all_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metaworld, "_N_GOALS", 2)
    tasks = ("pick-place-v3", "reach-v3", "box-close-v3")
    classes = {task: task_class(task) for task in tasks}
    arguments = {task: {"args": [], "kwargs": {"task_id": 0}} for task in tasks}
    theirs: dict[str, list[np.ndarray]] = {}
    for drawn in metaworld._make_tasks(classes, arguments, {"partially_observable": False}, 7):
        theirs.setdefault(drawn.env_name, []).append(pickle.loads(drawn.data)["rand_vec"])
    assert_equal(draw_goals(tasks, 7, 2), {task: np.array(theirs[task]) for task in tasks})


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", ["MT10", "MT25", "MT50"])
def test_all_goals_of_every_benchmark_are_meta_worlds(benchmark: str) -> None:
    theirs = stock_goals(getattr(metaworld, benchmark)(seed=11))
    assert_equal(draw_goals(BENCHMARKS[benchmark], 11, 50), theirs)


def test_some_tasks_of_a_benchmark_have_the_goals_that_they_have_in_all_of_it() -> None:
    every = benchmark_goals("MT10", BENCHMARKS["MT10"], 1, 2)
    some = benchmark_goals("MT10", ("window-close-v3", "push-v3"), 1, 2)
    assert_equal(some, {task: every[task] for task in ("window-close-v3", "push-v3")})


def test_seeds_give_different_goals_and_a_task_has_others_in_mt1() -> None:
    mt10 = [benchmark_goals("MT10", ("push-v3",), seed, 2)["push-v3"] for seed in (0, 1)]
    mt1 = benchmark_goals("MT1", ("push-v3",), 0, 2)["push-v3"]
    assert not np.allclose(mt10[0], mt10[1])
    assert not np.allclose(mt10[0], mt1)


def test_drawing_goals_leaves_global_state_alone() -> None:
    np.random.seed(1)  # noqa: NPY002
    before, count = np.random.get_state(), metaworld._N_GOALS  # noqa: NPY002
    draw_goals(("reach-v3",), 0, 2)
    draw_goal(fast("reach-v3")(), [1, 2])
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    assert count == metaworld._N_GOALS


def test_goals_are_drawn_once_and_then_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = benchmark_goals("MT1", ("reach-v3",), 0, 2)
    assert [path.suffix for path in cache_folder().iterdir()] == [".npz"]
    monkeypatch.setattr(module, "draw_goals", None)
    assert_equal(benchmark_goals("MT1", ("reach-v3",), 0, 2), first)
    with pytest.raises(TypeError):  # other settings are not in the cache
        benchmark_goals("MT1", ("reach-v3",), 1, 2)


def test_goals_that_cannot_be_kept_serve_nonetheless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = benchmark_goals("MT1", ("reach-v3",), 0, 2)
    (tmp_path / "robomtl").write_text("a file where the cache's folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.warns(UserWarning, match=r"goals cannot be kept in .*XDG_CACHE_HOME") as caught:
        assert_equal(benchmark_goals("MT1", ("reach-v3",), 0, 2), expected)
    assert len(caught) == 1


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half a file", b"\x80\x04N."])
def test_a_damaged_cache_is_drawn_anew(
    damage: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = benchmark_goals("MT1", ("reach-v3",), 0, 2)
    (file,) = cache_folder().iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert_equal(benchmark_goals("MT1", ("reach-v3",), 0, 2), first)
    assert file.read_bytes() == whole


def test_no_damaged_byte_in_the_cache_is_more_than_a_reason_to_draw_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    goals = benchmark_goals("MT1", ("reach-v3",), 0, 2)
    monkeypatch.setattr(module, "draw_goals", lambda *_: goals)
    (file,) = cache_folder().iterdir()
    whole = file.read_bytes()
    for place, byte in enumerate(whole):
        file.write_bytes(whole[:place] + bytes([byte ^ 1]) + whole[place + 1 :])
        assert_equal(benchmark_goals("MT1", ("reach-v3",), 0, 2), goals)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"benchmark": "MT11"}, "valid: MT1, MT10, MT25, MT50"),
        ({"tasks": ("juggle-v3",)}, "reach-v3, push-v3, pick-place-v3"),
        ({"tasks": ("hammer-v3",)}, "unknown task of MT10 'hammer-v3'"),
        ({"reward": "v3"}, "valid: v1, v2"),
    ],
)
def test_an_unknown_name_is_answered_with_the_valid_ones(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UnknownNameError, match=message):
        make_vec(**{"goals": 2, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"benchmark": "MT1"}, "say which"),
        ({"benchmark": "MT1", "tasks": ("reach-v3", "push-v3")}, "MT1 is one task"),
        ({"tasks": ("reach-v3", "reach-v3")}, "once each"),
        ({"tasks": ()}, "at least one"),
        ({"goals": 0}, "goals must be at least 1"),
        ({"seed": -1}, "seed of goals"),
        ({"horizon": 0}, "horizon"),
        ({"workers": 3, "tasks": ("reach-v3", "push-v3")}, "workers must be 1 to"),
    ],
)
def test_a_number_out_of_range_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(EnvError, match=message):
        make_vec(**{"goals": 2, **settings})  # type: ignore[arg-type]
