"""Demonstrations that the real RLBench saved; they may not be passed on, so they are elsewhere."""

import os
from pathlib import Path

import numpy as np
import pytest

from robomtl.data import CAMERAS, RLBenchFolder, find_keyframes, point_cloud
from robomtl.data.rlbench import episode_problems

FOLDER = os.environ.get("ROBOMTL_RLBENCH_DEMOS", "")
KEYFRAMES = [[69], [63], [56], [59]]

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="ROBOMTL_RLBENCH_DEMOS names no folder of RLBench's reach_target episodes"
)


def test_real_demonstrations_are_read() -> None:
    demos = list(RLBenchFolder(Path(FOLDER)))
    assert [find_keyframes(demo) for demo in demos] == KEYFRAMES
    for demo in demos:
        assert demo.task == "reach_target"
        frame = demo[len(demo) // 2]
        for camera in CAMERAS:
            height, width = frame[f"{camera}_mask"].shape
            assert frame[f"{camera}_rgb"].shape == (height, width, 3)
            depth = frame[f"{camera}_depth"]
            cloud = point_cloud(
                depth, frame[f"{camera}_camera_intrinsics"], frame[f"{camera}_camera_extrinsics"]
            )
            table = np.abs(cloud[..., 2] - 0.75) < 0.01
            assert table.mean() > 0.02, f"{camera} sees no table at the height where it is"


def test_nothing_is_wrong_with_real_demonstrations() -> None:
    for episode in RLBenchFolder(Path(FOLDER)).episodes()[:1]:
        assert episode_problems(episode) == []
