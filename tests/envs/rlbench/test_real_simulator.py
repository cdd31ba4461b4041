"""The real RLBench, where it is installed: `pytest tests/envs/rlbench --run-slow`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from robomtl import envs
from robomtl.data import find_keyframes, point_cloud
from robomtl.envs.rlbench import availability
from tests.envs.rlbench.signatures import SIGNATURES, signature

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(availability.problems()), reason="RLBench is not installed here"),
]


@pytest.fixture(scope="module")
def env() -> Iterator[envs.RobotEnv]:
    made = envs.make("reach_target", simulator="rlbench", cameras=("left_shoulder", "front"))
    yield made
    made.close()


@pytest.mark.parametrize("path", SIGNATURES)
def test_signatures_are_those_that_the_fake_has(path: str) -> None:
    availability.require()
    assert signature(path) == SIGNATURES[path]


def test_observations_are_what_the_space_says(env: envs.RobotEnv) -> None:
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        assert dict(observation) in env.observation_space


def test_the_cameras_see_the_table_where_it_is(env: envs.RobotEnv) -> None:
    seen, _ = env.reset(seed=0)
    for camera in env.cameras:
        matrices = (seen[f"{camera}_camera_{kind}"] for kind in ("intrinsics", "extrinsics"))
        heights = point_cloud(seen[f"{camera}_depth"], *matrices)[..., 2]
        on_the_table = np.abs(heights - 0.75) < 0.005
        assert on_the_table.mean() > 0.1


def test_a_demos_keyframes_lead_to_where_the_demo_ended(env: envs.RobotEnv) -> None:
    demo = env.collect_demo(0)
    assert demo.column("front_rgb").std() > 0
    env.reset(seed=0)
    for frame in find_keyframes(demo):
        target = demo[frame].gripper_pose
        seen, _, _, _, info = env.step(np.append(target, demo[frame].gripper_open))
    assert info["error"] is None
    # It stops as soon as the target, 5 cm wide, is reached.
    assert info["success"] or np.linalg.norm(seen.gripper_pose[:3] - target[:3]) < 0.01


def test_a_pose_out_of_reach_fails_the_episode(env: envs.RobotEnv) -> None:
    env.reset(seed=0)
    beyond = np.array([0.77, 0.65, 1.75, 0.0, 1.0, 0.0, 0.0, 1.0])
    assert env.step(beyond)[4]["error"] == "UnreachablePoseError"


def test_another_task_takes_over_the_same_simulator(env: envs.RobotEnv) -> None:
    other = envs.make("take_lid_off_saucepan", simulator="rlbench", cameras=env.cameras)
    assert other.reset(seed=0)[1]["descriptions"] != env.reset(seed=0)[1]["descriptions"]
    other.reset(seed=0)
    other.close()
    seen, info = env.reset(seed=0)
    assert seen["front_rgb"].std() > 0
    assert not info["success"]
