"""What RLBench is asked to observe, and its observations as ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robomtl.data.observation import CAMERAS, LOW_DIM, Observation


def observation_config(cameras: Sequence[str], image_size: int) -> Any:
    """RLBench's configuration for these cameras, depth in metres, and all low-dimensional fields.

    Point clouds and masks are off: clouds follow from the depth, and nothing here uses masks.
    """
    from rlbench.observation_config import CameraConfig, ObservationConfig

    def camera(name: str) -> Any:
        on = name in cameras
        return CameraConfig(
            rgb=on,
            depth=on,
            point_cloud=False,
            mask=False,
            image_size=(image_size, image_size),
            depth_in_meters=True,
        )

    return ObservationConfig(
        **{f"{name}_camera": camera(name) for name in CAMERAS},
        gripper_joint_positions=True,
        gripper_touch_forces=True,
        task_low_dim_state=True,
    )


def convert(theirs: Any, cameras: Sequence[str]) -> Observation:
    """RLBench's observation as ours: the same names, our types, matrices out of its `misc`."""
    fields: dict[str, Any] = {
        name: np.asarray(getattr(theirs, name), dtype=np.float64) for name in LOW_DIM
    }
    for camera in cameras:
        fields[f"{camera}_rgb"] = np.ascontiguousarray(getattr(theirs, f"{camera}_rgb"), np.uint8)
        depth = getattr(theirs, f"{camera}_depth")
        fields[f"{camera}_depth"] = np.ascontiguousarray(depth, np.float32)
        for kind in ("intrinsics", "extrinsics"):
            name = f"{camera}_camera_{kind}"
            fields[name] = np.asarray(theirs.misc[name], dtype=np.float64)
    return Observation(fields)
