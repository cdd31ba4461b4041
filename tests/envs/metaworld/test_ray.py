"""Ray's actors do what one process does, to the bit."""

import sys

import numpy as np
import pytest

from robomtl.envs import MissingSimulatorError, SimulatorError

TASKS = ("reach-v3", "push-v3", "drawer-close-v3")


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="ray is optional: pip install 'robomtl[ray]'")
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000
    )
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_actors_give_the_bits_that_one_process_gives(ray, make, actions):
    one, two = make(*TASKS), make(*TASKS, workers=2, transport="ray")
    np.testing.assert_array_equal(one.reset(), two.reset())
    for step in range(15):
        drawn = actions(one, step)
        expected, found = one.step(drawn), two.step(drawn)
        for wanted, had in zip(expected[:3], found[:3], strict=True):
            np.testing.assert_array_equal(wanted, had)
        for wanted, had in zip(expected[3], found[3], strict=True):
            assert set(wanted) == set(had)
            if wanted:
                np.testing.assert_array_equal(
                    wanted["terminal_observation"], had["terminal_observation"]
                )
        np.testing.assert_array_equal(one.success, two.success)
    assert two.get_attr("name") == list(TASKS)
    with pytest.raises(AttributeError, match="colour"):
        two.get_attr("colour")


@pytest.mark.slow
def test_an_actor_that_ends_is_an_error(ray, make, actions):
    env = make(*TASKS, workers=2, transport="ray")
    env.reset()
    ray.kill(env._group._actors[1])
    with pytest.raises(SimulatorError, match="actor 1"):
        env.step(actions(env, 0))


def test_without_ray_it_says_what_to_install(monkeypatch, make):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingSimulatorError, match=r"pip install 'robomtl\[ray\]'"):
        make(*TASKS, transport="ray")
