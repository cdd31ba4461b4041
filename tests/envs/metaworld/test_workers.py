"""Worker processes give what one process gives."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import pytest
from numpy.typing import NDArray

from robomtl.envs import EnvError, SimulatorError, UnknownNameError
from robomtl.envs.metaworld.vec_env import MetaWorldVecEnv
from tests.envs.metaworld.alike import assert_alike

Make = Callable[..., MetaWorldVecEnv]
Draw = Callable[[MetaWorldVecEnv, int], NDArray[np.float32]]
THREE = ("reach-v3", "door-open-v3", "push-v3")


def without_time(infos: list[dict[str, object]]) -> list[dict[str, object]]:
    for info in infos:
        if info:
            del info["episode"]["t"]  # type: ignore[attr-defined]
    return infos


def test_results_do_not_depend_on_the_number_of_processes(make: Make, actions: Draw) -> None:
    alone, shared = make(*THREE, horizon=5), make(*THREE, horizon=5, workers=2)
    np.testing.assert_array_equal(alone.reset(), shared.reset())
    for step in range(12):
        drawn = actions(alone, step)
        expected, found = alone.step(drawn), shared.step(drawn)
        for theirs, ours in zip(expected[:3], found[:3], strict=True):
            assert theirs.dtype == ours.dtype
            np.testing.assert_array_equal(theirs, ours)
        np.testing.assert_equal(without_time(found[3]), without_time(expected[3]))
        np.testing.assert_array_equal(alone.success, shared.success)
    assert alone.state_dict() == shared.state_dict()
    assert alone.get_attr("name") == shared.get_attr("name") == list(THREE)
    shared.set_attr("note", "mine", 2)
    assert shared.get_attr("note", 2) == ["mine"]
    with pytest.raises(AttributeError, match="colour"):
        shared.get_attr("colour")
    for theirs, ours in zip(
        alone.env_method("reset", 1), shared.env_method("reset", 1), strict=True
    ):
        np.testing.assert_array_equal(theirs, ours)


def test_a_failure_in_a_worker_is_told_and_a_killed_one_named(make: Make, actions: Draw) -> None:
    env = make(*THREE, workers=2)
    env.reset()
    kept = env.step(actions(env, 0))[0]
    copy = kept.copy()
    with pytest.raises(TypeError, match="reset"):
        env.env_method("reset", indices=2)
    env.step(actions(env, 1))
    np.testing.assert_array_equal(kept, copy)
    processes = env._group._processes  # type: ignore[union-attr]
    os.kill(processes[1].pid, signal.SIGKILL)
    with pytest.raises(SimulatorError, match=r"worker process 1 .* exit code -9"):
        env.step(actions(env, 0))
    env.close()
    env.close()  # once more does no harm
    assert not any(process.is_alive() for process in processes)


@pytest.mark.parametrize("workers", [1, 2])
def test_wrong_settings_are_refused_alike(make: Make, workers: int) -> None:
    with pytest.raises(UnknownNameError, match="'v3'; valid: v1, v2"):
        make(*THREE, reward="v3", workers=workers)
    for settings in ({"horizon": 0}, {"action_repeat": 4}):
        with pytest.raises(EnvError, match="must be at least 1") as caught:
            make(*THREE, **settings, workers=workers)
        assert caught.type is EnvError


def test_what_cannot_be_sent_from_a_worker_is_told_and_does_not_end_it(make: Make) -> None:
    env = make(*THREE, workers=2)
    with pytest.raises(TypeError, match="cannot be sent from a worker"):
        env.get_attr("simulator", 0)
    assert env.get_attr("name") == list(THREE)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_closed_environment_refuses_to_go_on(make: Make, actions: Draw, workers: int) -> None:
    env = make(*THREE, workers=workers)
    env.reset()
    env.step_async(actions(env, 0))
    env.close()
    for use in (
        lambda: env.step(actions(env, 0)),
        env.step_wait,
        env.reset,
        lambda: env.get_attr("name"),
    ):
        with pytest.raises(EnvError, match="the environment is closed"):
            use()


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_reset_gives_up_a_step_that_was_not_finished(
    make: Make, actions: Draw, interrupted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, fresh = make(*THREE, workers=2), make(*THREE)
    env.reset()
    env.step_async(actions(env, 0))
    if interrupted:
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "recv", interrupt_the_second())
            with pytest.raises(KeyboardInterrupt):
                env.step_wait()
    env.seed(0)
    assert_alike(env, fresh, actions)
    assert env.get_attr("name") == list(THREE)


def interrupt_the_second() -> Callable[[Connection], object]:
    """A way to receive that is interrupted after the first answer."""
    receive, received = Connection.recv, []

    def interrupted(connection: Connection) -> object:
        if received:
            raise KeyboardInterrupt
        received.append(receive(connection))
        return received[-1]

    return interrupted
