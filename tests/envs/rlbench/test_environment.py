"""RLBench is driven as the tabletop is. The fake stands in for it; see tests/fakes."""

# ruff: noqa: NPY002, the global generator is what RLBench draws from

from __future__ import annotations

import importlib
import random
from types import ModuleType

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robomtl import envs
from robomtl.data import find_keyframes, point_cloud
from robomtl.envs.rlbench import RLBenchEnv

pytestmark = pytest.mark.usefixtures("rlbench")


def make(task: str = "reach_target", **settings: object) -> RLBenchEnv:
    settings = {"cameras": (), "image_size": 32} | settings
    return envs.make(task, simulator="rlbench", **settings)  # type: ignore[return-value, arg-type]


@pytest.fixture
def pyrep(rlbench: ModuleType) -> type:
    return importlib.import_module("pyrep").PyRep


@pytest.mark.filterwarnings("ignore:.*Box (action|observation) space.*")
@pytest.mark.filterwarnings("ignore:.*render_modes.*")
def test_gymnasiums_own_checker_passes() -> None:
    env = make(cameras=("wrist",))
    check_env(env, skip_render_check=True)
    env.close()


def test_it_takes_and_gives_what_the_tabletop_does() -> None:
    theirs = make(cameras=("front", "wrist"))
    ours = envs.make("reach_target", cameras=("front", "wrist"), image_size=32)
    assert theirs.action_space == ours.action_space
    spaces = dict(ours.observation_space.spaces)
    del spaces["task_low_dim_state"]
    assert dict(theirs.observation_space.spaces) == spaces
    observation, info = theirs.reset(seed=0)
    assert dict(observation) in theirs.observation_space
    assert info.keys() == ours.reset(seed=0)[1].keys()


@pytest.mark.parametrize("task", ["reach_target", "take_lid_off_saucepan"])
def test_a_demos_keyframes_played_as_actions_solve_the_task(task: str) -> None:
    env = make(task)
    demo = env.collect_demo(11)
    env.reset(seed=11)
    rewards = []
    for frame in find_keyframes(demo):
        action = np.append(demo[frame].gripper_pose, demo[frame].gripper_open)
        _, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
    assert rewards == [0.0] * (len(rewards) - 1) + [1.0]
    assert (terminated, truncated, info["success"]) == (True, False, True)


def test_a_demo_says_what_it_is_and_holds_what_the_cameras_saw() -> None:
    env = make(variation=3, cameras=("front",))
    demo = env.collect_demo(5)
    assert demo.key == ("reach_target", 3, 5)
    assert "touch the ball of variation 3" in demo.descriptions
    assert demo.states is None
    assert set(demo.symmetry) == {1}
    assert demo.column("front_rgb").shape == (len(demo), 32, 32, 3)
    observed, _ = env.reset(seed=5)
    for name in observed.keys() - {"timestep"}:
        np.testing.assert_array_equal(demo[0][name], observed[name], err_msg=name)


def test_depth_is_in_metres_and_the_matrices_belong_to_it() -> None:
    env = make(variation=19, cameras=("front", "left_shoulder", "wrist"), image_size=64)
    for seed in range(5):
        demo = env.collect_demo(seed)
        for frame in (0, len(demo) - 1):
            seen = demo[frame]
            for camera in env.cameras:
                matrices = (seen[f"{camera}_camera_{k}"] for k in ("intrinsics", "extrinsics"))
                cloud = point_cloud(seen[f"{camera}_depth"], *matrices)
                ball = (seen[f"{camera}_rgb"] == (255, 228, 0)).all(-1)
                radius = np.linalg.norm(cloud[ball] - seen.task_low_dim_state, axis=-1)
                np.testing.assert_allclose(radius, 0.04, atol=1e-5)
                assert ball.any() or camera == "wrist" or frame


def test_nothing_is_rendered_that_nobody_looks_at() -> None:
    env = make(cameras=("front",))
    env.reset(seed=0)
    for name, camera in env._stage._scene._obs_config.cameras.items():
        assert (camera.rgb, camera.depth) == (name == "front", name == "front")
        assert {camera.point_cloud, camera.mask} == {False}


def test_the_same_seed_draws_the_same_scene_and_others_do_not() -> None:
    env = make(cameras=("front",))
    first = env.reset(seed=1)[0]["front_rgb"]
    assert not np.array_equal(env.reset(seed=2)[0]["front_rgb"], first)
    assert np.array_equal(env.reset(seed=1)[0]["front_rgb"], first)


def test_the_global_random_numbers_are_left_alone() -> None:
    np.random.seed(7)
    random.seed(7)
    expected = np.random.random(3), random.random()
    np.random.seed(7)
    random.seed(7)
    env = make()
    demo = env.collect_demo(0)
    env.reset(seed=0)
    env.step(np.append(demo[-1].gripper_pose, 1.0))
    assert (np.random.random(3) == expected[0]).all()
    assert random.random() == expected[1]


def test_what_happens_outside_does_not_change_the_scene() -> None:
    env = make()
    np.random.seed(1)
    first = env.collect_demo(4).digest()
    np.random.seed(2)
    assert env.collect_demo(4).digest() == first


def test_an_episode_is_truncated_at_the_step_limit() -> None:
    env = make(max_steps=2)
    observation, _ = env.reset(seed=0)
    stay = np.append(observation.gripper_pose, 1.0)
    assert env.step(stay)[2:4] == (False, False)
    observation, _, terminated, truncated, _ = env.step(stay)
    assert (terminated, truncated) == (False, True)
    assert observation.timestep == 2
    assert make().max_steps == 25


def test_success_at_the_step_limit_is_no_truncation() -> None:
    env = make(max_steps=1)
    demo = env.collect_demo(0)
    env.reset(seed=0)
    assert env.step(np.append(demo[-1].gripper_pose, 1.0))[1:4] == (1.0, True, False)


BEYOND = np.array([0.77, 0.65, 1.75, 0.0, 1.0, 0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (np.full(8, np.nan), envs.InvalidActionError),
        (np.array([5.0, 0, 1, 0, 1, 0, 0, 1]), envs.InvalidActionError),
        (np.array([0.3, 0, 1, 0, 2, 0, 0, 1]), envs.InvalidActionError),
        (BEYOND, envs.UnreachablePoseError),
    ],
)
def test_a_bad_action_fails_the_episode_or_raises_when_strict(
    action: np.ndarray, error: type[envs.EnvError]
) -> None:
    env = make()
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(action)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert (info["error"], info["success"]) == (error.__name__, False)
    env.strict = True
    env.reset(seed=0)
    with pytest.raises(error):
        env.step(action)


@pytest.mark.parametrize(
    ("module", "name", "ours"),
    [
        ("rlbench.backend.exceptions", "InvalidActionError", "InvalidActionError"),
        ("rlbench.backend.exceptions", "BoundaryError", "InvalidActionError"),
        ("pyrep.errors", "IKError", "UnreachablePoseError"),
        ("pyrep.errors", "ConfigurationPathError", "UnreachablePoseError"),
        ("pyrep.errors", "ConfigurationError", "UnreachablePoseError"),
        ("pyrep.errors", "GripperError", "SimulatorError"),
        ("pyrep.errors", "PyRepError", "SimulatorError"),
    ],
)
def test_errors_of_a_step_become_ours(
    module: str, name: str, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = getattr(importlib.import_module(module), name)

    def fail(self: object, scene: object, action: object) -> None:
        raise theirs("the reason")

    actions = importlib.import_module("rlbench.action_modes.arm_action_modes")
    monkeypatch.setattr(actions.EndEffectorPoseViaPlanning, "action", fail)
    env = make(strict=True)
    observation, _ = env.reset(seed=0)
    action = np.append(observation.gripper_pose, 1.0)
    with pytest.raises(getattr(envs, ours), match=f"{name}: the reason") as raised:
        env.step(action)
    assert isinstance(raised.value.__cause__, theirs)
    if ours != "SimulatorError":  # which is no fault of the action
        env.strict = False
        assert env.step(action)[4]["error"] == ours


@pytest.mark.parametrize("name", ["BoundaryError", "WaypointError"])
def test_a_scene_that_cannot_be_placed_is_a_placement_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = getattr(importlib.import_module("rlbench.backend.exceptions"), name)
    env = make()
    env.reset(seed=0)

    def fail(self: object, index: int) -> None:
        raise theirs(*(["no way", self] if name == "WaypointError" else ["no place"]))

    monkeypatch.setattr(type(env._stage._task), "init_episode", fail)
    with pytest.raises(envs.PlacementError, match="Could not place"):
        env.reset(seed=0)
    with pytest.raises(envs.PlacementError, match="Could not place"):
        env.collect_demo(0)


@pytest.mark.parametrize("begin", ["reset", "collect_demo"])
def test_after_a_failure_to_begin_there_is_no_episode_to_step(
    begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = importlib.import_module("rlbench.backend.exceptions").BoundaryError
    env = make()
    observation, _ = env.reset(seed=0)

    def fail(self: object, index: int) -> None:
        raise theirs("no place")

    monkeypatch.setattr(type(env._stage._task), "init_episode", fail)
    with pytest.raises(envs.PlacementError):
        getattr(env, begin)(seed=1)
    with pytest.raises(envs.ResetNeededError):
        env.step(np.append(observation.gripper_pose, 1.0))


def failing(monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Makes this many demonstrations fail; the list returned gets an entry for each attempt."""
    scene = importlib.import_module("rlbench.backend.scene").Scene
    exceptions = importlib.import_module("rlbench.backend.exceptions")
    errors = [exceptions.NoWaypointsError, exceptions.DemoError]
    original, attempts = scene.get_demo, []

    def get_demo(self: object, **options: object) -> object:
        attempts.append(self.task.name)  # type: ignore[attr-defined]
        if len(attempts) <= times:
            raise errors[len(attempts) % 2]("bad luck", self.task)  # type: ignore[attr-defined]
        return original(self, **options)

    monkeypatch.setattr(scene, "get_demo", get_demo)
    return attempts


def test_failed_attempts_at_a_demo_are_counted_and_show_other_scenes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = make()
    at_once = env.collect_demo(0)
    failing(monkeypatch, times=3)
    demo = env.collect_demo(0)
    assert (at_once.attempts, demo.attempts) == (1, 4)
    scene = "task_low_dim_state"
    assert not np.array_equal(demo[0][scene], at_once[0][scene])


def test_ten_failed_attempts_are_a_demonstration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = failing(monkeypatch, times=99)
    with pytest.raises(envs.DemonstrationError, match=r"reach_target \(variation 2, seed 6\)"):
        make(variation=2).collect_demo(6)
    assert len(attempts) == 10


@pytest.mark.parametrize(
    ("arguments", "valid"),
    [
        ({"task": "juggle"}, "take_lid_off_saucepan"),
        ({"cameras": ("belly",)}, "left_shoulder"),
        ({"variation": 20}, "0 to 19"),
        ({"variation": -1}, "0 to 19"),
        ({"look": "pretty"}, "fast"),
        ({"render_mode": "rgb_array"}, "None"),
    ],
)
def test_an_unknown_name_is_answered_with_the_valid_ones(
    arguments: dict[str, object], valid: str
) -> None:
    with pytest.raises(envs.UnknownNameError, match=valid):
        make(**arguments)
    env = make()
    with pytest.raises(envs.UnknownNameError, match="0 to 19"):
        env.reset(options={"variation": 20})


def test_a_variation_is_chosen_at_the_reset_and_kept() -> None:
    env = make()
    assert env.reset(options={"variation": 4})[1]["variation"] == 4
    assert env.reset()[1]["descriptions"][0] == "reach target 4"


def test_variations_are_counted_without_the_simulator(pyrep: type) -> None:
    assert envs.variation_count("reach_target", "rlbench") == 20
    assert envs.variation_count("take_lid_off_saucepan", "rlbench") == 1
    assert pyrep.launches == 0


def test_a_step_needs_an_episode() -> None:
    env = make()
    with pytest.raises(envs.ResetNeededError):
        env.step(BEYOND)
    env.reset(seed=0)
    env.collect_demo(0)
    with pytest.raises(envs.ResetNeededError):
        env.step(BEYOND)


def test_environments_of_a_process_share_one_simulator(pyrep: type) -> None:
    first, second = make(), make("take_lid_off_saucepan")
    assert pyrep.launches == 0
    observation, _ = first.reset(seed=0)
    second.reset(seed=0)
    assert pyrep.launches == 1
    stay = np.append(observation.gripper_pose, 1.0)
    with pytest.raises(envs.ResetNeededError, match="another"):
        first.step(stay)
    second.step(stay)
    first.reset(seed=0)
    first.step(stay)
    first.close()
    assert pyrep.running_instances == 1
    second.close()
    assert (pyrep.launches, pyrep.running_instances) == (1, 0)


def test_a_task_that_was_not_loaded_is_loaded_by_the_next_reset(
    rlbench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: object, task: type) -> None:
        raise KeyboardInterrupt

    first, second = make(), make("take_lid_off_saucepan")
    first.reset(seed=0)
    second.reset(seed=0)
    with monkeypatch.context() as patch:
        patch.setattr(rlbench.Environment, "get_task", interrupted)
        with pytest.raises(KeyboardInterrupt):
            first.reset(seed=0)
    first.reset(seed=0)
    assert first._stage._scene.task is first._stage._task


def test_other_images_start_the_simulator_anew(pyrep: type) -> None:
    small, large = make(cameras=("front",)), make(cameras=("front",), image_size=48)
    assert small.reset()[0]["front_rgb"].shape == (32, 32, 3)
    assert large.reset()[0]["front_rgb"].shape == (48, 48, 3)
    assert small.reset()[0]["front_rgb"].shape == (32, 32, 3)
    assert (pyrep.launches, pyrep.running_instances) == (3, 1)


def test_a_closed_environment_can_begin_again(pyrep: type) -> None:
    env = make()
    env.reset(seed=0)
    env.close()
    env.close()
    assert pyrep.running_instances == 0
    env.reset(seed=0)
    assert pyrep.running_instances == 1


def test_an_environment_that_nobody_keeps_does_not_keep_the_simulator(pyrep: type) -> None:
    env = make()
    make().reset(seed=0)
    env.close()
    assert pyrep.running_instances == 0


def test_a_simulator_that_does_not_start_is_a_simulator_error(
    pyrep: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, *arguments: object, **options: object) -> None:
        raise importlib.import_module("pyrep.errors").PyRepError("no licence")

    env = make()
    with monkeypatch.context() as patch:
        patch.setattr(pyrep, "launch", fail)
        with pytest.raises(envs.SimulatorError, match="no licence"):
            env.reset()
    env.reset()
