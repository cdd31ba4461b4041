"""The cameras are RLBench's, and their matrices say where things are."""

from __future__ import annotations

import numpy as np
import pytest

from robomtl import envs
from robomtl.data import CAMERAS, point_cloud
from robomtl.envs.tabletop.poses import DOWN, Pose
from robomtl.envs.tabletop.rendering import Renderer

_RLBENCH = {
    "left_shoulder": (-0.175, 0.2, 1.98),
    "right_shoulder": (-0.175, -0.2, 1.98),
    "overhead": (-0.175, 0.0, 2.43),
    "front": (1.35, 0.0, 1.58),
}


@pytest.fixture(scope="module")
def env() -> envs.TabletopEnv:
    return envs.make("reach_target", cameras=CAMERAS)


@pytest.mark.parametrize("camera", CAMERAS)
def test_known_centres_project_onto_their_pixels(env: envs.TabletopEnv, camera: str) -> None:
    renderer = Renderer(env._episode.world, 128, 128)
    seen = 0
    for seed in range(6):
        observation, _ = env.reset(seed=seed)
        renderer.update()
        mask = renderer.mask(camera)
        to_camera = np.linalg.inv(observation[f"{camera}_camera_extrinsics"])
        for ball in env.task.balls:
            shown = mask == ball.id
            at_border = shown[[0, -1]].any() or shown[:, [0, -1]].any()
            local = to_camera @ np.append(ball.pose.position, 1.0)
            projected = observation[f"{camera}_camera_intrinsics"] @ local[:3]
            u, v = projected[:2] / projected[2]
            # A ball that is partly hidden has its visible pixels off its centre.
            radius = 0.025 * abs(observation[f"{camera}_camera_intrinsics"][0, 0]) / local[2]
            if at_border or shown.sum() < 0.9 * np.pi * radius**2:
                continue
            rows, columns = np.nonzero(shown)
            assert abs(columns.mean() - u) < 1
            assert abs(rows.mean() - v) < 1
            seen += 1
    renderer.close()
    assert seen >= 3


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_tables_cloud_lies_in_its_plane(env: envs.TabletopEnv, camera: str) -> None:
    observation, _ = env.reset(seed=0)
    renderer = Renderer(env._episode.world, 128, 128)
    renderer.update()
    cloud = point_cloud(
        observation[f"{camera}_depth"],
        observation[f"{camera}_camera_intrinsics"],
        observation[f"{camera}_camera_extrinsics"],
    )
    table = renderer.mask(camera) == env._episode.world.model.body("table").id
    renderer.close()
    top = cloud[table][:, 2]
    top = top[top > 0.73]  # not its edges
    assert len(top) > 1000
    assert np.abs(top - 0.75).max() < 0.002


def test_a_renderer_draws_on_after_another_one_has_come_and_gone(env: envs.TabletopEnv) -> None:
    world = env._episode.world
    renderer = Renderer(world, 32, 32)
    env.reset(seed=0)
    renderer.update()
    first = renderer.rgb_and_depth("front")[0]
    env.reset(seed=1)
    renderer.update()
    Renderer(world, 32, 32).close()
    second = renderer.rgb_and_depth("front")[0]
    renderer.close()
    fresh = Renderer(world, 32, 32)
    fresh.update()
    np.testing.assert_array_equal(second, fresh.rgb_and_depth("front")[0])
    fresh.close()
    assert (second != first).any()


@pytest.mark.parametrize("camera", list(_RLBENCH))
def test_fixed_cameras_stand_where_rlbench_has_them(env: envs.TabletopEnv, camera: str) -> None:
    observation, _ = env.reset(seed=0)
    extrinsics = observation[f"{camera}_camera_extrinsics"]
    np.testing.assert_allclose(extrinsics[:3, 3], _RLBENCH[camera], atol=1e-6)
    if camera == "front":
        rows = [[0, -0.422618, -0.906308], [-1, 0, 0], [0, 0.906308, -0.422618]]
        np.testing.assert_allclose(extrinsics[:3, :3], rows, atol=1e-5)


def test_the_wrist_camera_rides_on_the_tip(env: envs.TabletopEnv) -> None:
    env.reset(seed=0)
    target = Pose(np.array([0.3, 0.2, 1.1]), DOWN)
    observation = env.step(np.append(target.vector, 1.0))[0]
    tip = Pose.from_vector(observation.gripper_pose)
    camera = observation["wrist_camera_extrinsics"]
    local = tip.inverse() @ Pose(camera[:3, 3], camera[:3, :3])
    np.testing.assert_allclose(local.position, [-0.05, 0.002, -0.0921], atol=1e-4)
    np.testing.assert_allclose(local.rotation[:, 2], [0.0872, 0, 0.9962], atol=1e-3)


def test_intrinsics_have_rlbenchs_signs_and_field_of_view(env: envs.TabletopEnv) -> None:
    observation, _ = env.reset(seed=0)
    matrix = observation["front_camera_intrinsics"]
    assert matrix[0, 0] == matrix[1, 1] == pytest.approx(-64 / np.tan(np.radians(20)))
    assert matrix[0, 2] == matrix[1, 2] == 63.5
