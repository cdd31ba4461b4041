"""A task of Meta-World behaves like a task of any other simulator."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robomtl import envs
from robomtl.data import METAWORLD_CAMERAS, Demo, DemoStore, point_cloud

TABLE = 0.75  # metres


def make(task: str, **settings: object) -> envs.RobotEnv:
    settings = {"cameras": (), **settings}
    return envs.make(task, simulator="metaworld", **settings)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:.*Box (action|observation) space.*")
@pytest.mark.filterwarnings("ignore:.*render_modes.*")
def test_gymnasiums_own_checker_passes() -> None:
    env = make("reach-v3", cameras=("corner2",), image_size=16)
    check_env(env, skip_render_check=True)
    env.close()


def test_the_same_seed_gives_the_same_demo_whatever_came_before() -> None:
    env = make("door-open-v3")
    first = env.collect_demo(3)
    env.collect_demo(4)
    env.reset(seed=9)
    assert env.collect_demo(3).digest() == first.digest()
    assert make("door-open-v3").collect_demo(3).digest() == first.digest()
    assert env.collect_demo(4).digest() != first.digest()


def test_reset_shows_the_scene_that_the_demonstration_starts_from() -> None:
    env = make("push-v3", cameras=("corner",), image_size=16)
    demo = env.collect_demo(1)
    assert demo.attempts == 1
    observation, _ = env.reset(seed=1)
    for name in demo.columns:
        np.testing.assert_array_equal(demo[0][name], observation[name], err_msg=name)


def test_a_demonstration_is_stored_and_loaded_with_its_pictures(tmp_path: object) -> None:
    env = make("reach-v3", cameras=("corner2", "gripper_pov"), image_size=16)
    demo = env.collect_demo(0)
    DemoStore(tmp_path).add(demo)  # type: ignore[arg-type]
    loaded = DemoStore(tmp_path).load("reach-v3", 0, 0)  # type: ignore[arg-type]
    assert isinstance(loaded, Demo)
    assert loaded.digest() == demo.digest()
    assert loaded[5].gripper_pov_rgb.shape == (16, 16, 3)
    assert loaded.descriptions == ("reach",)


def test_the_expert_ends_where_the_task_is_done() -> None:
    env = make("reach-v3")
    for seed in range(3):
        demo = env.collect_demo(seed)
        env.reset(seed=seed)
        action = np.append(demo[-1].gripper_pose, demo[-1].gripper_open)
        _, reward, terminated, truncated, info = env.step(action)
        assert (reward, terminated, truncated, info["success"]) == (1.0, True, False, True)


def test_the_gripper_goes_where_it_is_asked_to_and_points_down() -> None:
    env = make("pick-place-v3")
    observation, _ = env.reset(seed=0)
    for offset in ((0.05, 0.1, 0.05), (0.1, -0.08, -0.02), (0.0, 0.0, 0.1)):
        wanted = np.append(observation.gripper_pose, 1.0)
        wanted[:3] += offset
        wanted[3:7] = (0, 0, 0, 1)  # ignored
        reached, *_ = env.step(wanted)
        np.testing.assert_allclose(reached.gripper_pose[:3], wanted[:3], atol=0.005)
        x, y = reached.gripper_pose[3:5]
        assert x**2 + y**2 > 0.99, "turned over: the approach axis is down"
    assert observation.gripper_pose[2] > TABLE


def test_the_gripper_closes_and_opens() -> None:
    env = make("reach-v3")
    observation, _ = env.reset(seed=0)
    assert observation.gripper_open == 1
    stay = observation.gripper_pose
    closed, *_ = env.step(np.append(stay, 0.0))
    assert closed.gripper_open == 0
    opened, *_ = env.step(np.append(stay, 1.0))
    assert opened.gripper_open == 1
    assert np.ptp([o.gripper_joint_positions.sum() for o in (closed, opened)]) > 0.03


def test_touch_forces_are_felt_where_something_is_gripped() -> None:
    env = make("pick-place-v3")
    demo = env.collect_demo(0)
    forces = np.linalg.norm(demo.column("gripper_touch_forces"), axis=1)
    assert forces[0] == 0
    assert forces[-1] > 0.1


def test_the_robot_stands_where_the_tabletops_does() -> None:
    theirs, _ = envs.make("reach_target", cameras=()).reset(seed=0)
    ours, _ = make("reach-v3").reset(seed=0)
    assert np.linalg.norm((theirs.gripper_pose - ours.gripper_pose)[:2]) < 0.1
    goal, hand = ours.task_low_dim_state[-3:], ours.task_low_dim_state[:3]
    assert goal[1] > hand[1], "the goal is in front, along y in Meta-World's frame"


def test_the_table_is_flat_in_every_cameras_cloud() -> None:
    env = make("reach-v3", cameras=METAWORLD_CAMERAS, image_size=48)
    seen, _ = env.reset(seed=0)
    for camera in METAWORLD_CAMERAS:
        matrices = (seen[f"{camera}_camera_{kind}"] for kind in ("intrinsics", "extrinsics"))
        points = point_cloud(seen[f"{camera}_depth"], *matrices).reshape(-1, 3)
        on_table = (np.abs(points - (0.4, 0.0, TABLE)) < (0.12, 0.25, 0.02)).all(axis=1)
        heights = points[on_table, 2]
        assert len(heights) > 20, camera
        assert np.median(heights) == pytest.approx(TABLE, abs=1e-4), camera
        assert np.mean(np.abs(heights - TABLE) < 1e-3) > 0.9, camera
    env.close()


def test_corner_pictures_are_upright_and_agree_with_their_matrices() -> None:
    corners = ("corner", "corner2", "corner3")
    env = make("reach-v3", cameras=corners, image_size=64)
    seen, _ = env.reset(seed=0)
    hand = seen.gripper_pose[:3] + (0, 0, 0.1)
    for camera in corners:
        intrinsics = seen[f"{camera}_camera_intrinsics"]
        extrinsics = seen[f"{camera}_camera_extrinsics"]
        assert intrinsics[0, 0] == intrinsics[1, 1] < 0
        assert (intrinsics[0, 2], intrinsics[1, 2]) == (31.5, 31.5)
        below = project(hand - (0, 0, 0.2), intrinsics, extrinsics)
        column, row = project(hand, intrinsics, extrinsics)
        assert row < below[1], "rows count downwards"
        # What is drawn at the hand's own pixel is at the hand's distance.
        distance = (np.linalg.inv(extrinsics) @ np.append(hand, 1))[2]
        rows, columns = round(row) + np.arange(-3, 4), round(column) + np.arange(-3, 4)
        patch = seen[f"{camera}_depth"][np.ix_(rows, columns)]
        assert np.abs(patch - distance).min() < 0.08, camera
    env.close()


def project(point: np.ndarray, intrinsics: np.ndarray, extrinsics: np.ndarray) -> np.ndarray:
    seen = (np.linalg.inv(extrinsics) @ np.append(point, 1))[:3]
    return (intrinsics @ seen)[:2] / seen[2]


def test_several_environments_draw_side_by_side_without_harm() -> None:
    alone = make("reach-v3", cameras=("corner2", "gripper_pov"), image_size=24)
    expected, _ = alone.reset(seed=0)
    others = [make(task, cameras=("corner",), image_size=32) for task in ("push-v3", "reach-v3")]
    for env in others:
        env.reset(seed=1)
    again, _ = alone.reset(seed=0)
    others[0].close()
    after, _ = alone.reset(seed=0)
    for name in expected:
        np.testing.assert_array_equal(expected[name], again[name], err_msg=name)
        np.testing.assert_array_equal(expected[name], after[name], err_msg=name)
    for env in (alone, *others):
        env.close()


def test_an_invalid_or_unreachable_action_fails_the_episode_or_raises_when_strict() -> None:
    env = make("drawer-close-v3")
    observation, _ = env.reset(seed=0)
    beyond = np.append(observation.gripper_pose, 1.0)
    beyond[:3] = (0.7, 0.6, 1.7)
    for action, error in (
        (np.full(8, np.nan), envs.InvalidActionError),
        (beyond, envs.UnreachablePoseError),
    ):
        env.strict = False
        env.reset(seed=0)
        _, reward, terminated, truncated, info = env.step(action)
        assert (reward, terminated, truncated) == (0.0, True, False)
        assert info["error"] == error.__name__
        env.strict = True
        with pytest.raises(error):
            env.step(action)


def test_an_episode_is_truncated_at_the_step_limit_and_must_be_begun() -> None:
    env = make("pick-place-v3", max_steps=2)
    with pytest.raises(envs.ResetNeededError):
        env.step(np.zeros(8))
    observation, _ = env.reset(seed=0)
    stay = np.append(observation.gripper_pose, 1.0)
    first, *flags, info = env.step(stay)
    assert flags == [0.0, False, False]
    assert (first.timestep, info["success"], info["variation"]) == (1, False, 0)
    assert env.step(stay)[1:4] == (0.0, False, True)


@pytest.mark.parametrize(
    ("settings", "valid"),
    [
        ({"task": "juggle-v3"}, "reach-v3"),
        ({"task": "reach-v3", "cameras": ("wrist",)}, "corner2"),
        ({"task": "reach-v3", "variation": 1}, "0 to 0"),
        ({"task": "reach-v3", "look": "pretty"}, "fast"),
    ],
)
def test_an_unknown_name_is_answered_with_the_valid_ones(
    settings: dict[str, object], valid: str
) -> None:
    with pytest.raises(envs.UnknownNameError, match=valid):
        make(**settings)  # type: ignore[arg-type]


def test_importing_environments_loads_no_simulator_that_is_not_asked_for() -> None:
    code = (
        "import sys, robomtl.envs, robomtl.envs.metaworld;"
        "print({'metaworld', 'stable_baselines3', 'torch', 'scipy'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "set()"
