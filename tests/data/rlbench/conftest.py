"""Demonstrations of random numbers that RLBench could have recorded, and folders of them."""

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robomtl.data import CAMERAS, Demo, write_rlbench_demo
from robomtl.data.observation import LOW_DIM
from robomtl.data.rlbench.layout import FAR, NEAR


def random_demo(
    seed: int = 0, frames: int = 3, size: tuple[int, int] = (4, 5), **settings: Any
) -> Demo:
    """A demo with the pictures of all cameras; everything depends on `seed`."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        name: rng.normal(size=(frames, *(4 if n is None else n for n in shape)))
        for name, shape in LOW_DIM.items()
    }
    columns["gripper_open"] = rng.integers(0, 2, frames).astype(float)
    columns["gripper_pose"][:, 3:] /= np.linalg.norm(columns["gripper_pose"][:, 3:], axis=1)[
        :, None
    ]
    for camera in CAMERAS:
        pose = np.tile(np.eye(4), (frames, 1, 1))
        pose[:, :3, :3] = np.linalg.qr(rng.normal(size=(frames, 3, 3)))[0]
        pose[:, :3, 3] = rng.normal(size=(frames, 3))
        focal = rng.uniform(1, 200)
        matrix = [[-focal, 0, size[1] / 2], [0, -focal, size[0] / 2], [0, 0, 1]]
        columns |= {
            f"{camera}_rgb": rng.integers(0, 256, (frames, *size, 3), np.uint8),
            f"{camera}_depth": rng.uniform(NEAR, FAR[camera], (frames, *size)).astype(np.float32),
            f"{camera}_mask": rng.integers(0, 2**24, (frames, *size)).astype(np.int32),
            f"{camera}_camera_intrinsics": np.tile(matrix, (frames, 1, 1)),
            f"{camera}_camera_extrinsics": pose,
        }
    settings = {"task": "push_button", "variation": 2, "descriptions": ("press it",), **settings}
    return Demo(columns, seed=seed, **settings)


@pytest.fixture(scope="session")
def make_recorded() -> Callable[..., Demo]:
    """`random_demo`."""
    return random_demo


@pytest.fixture
def rlbench_classes(monkeypatch: pytest.MonkeyPatch) -> tuple[type, type]:
    """Demo and Observation, where Python's own `pickle` finds RLBench's."""
    places = {"rlbench.demo": "Demo", "rlbench.backend.observation": "Observation"}
    for module in ("rlbench", "rlbench.backend", *places):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    for module, name in places.items():
        setattr(sys.modules[module], name, type(name, (), {"__module__": module}))
    demo, observation = (getattr(sys.modules[module], name) for module, name in places.items())
    return demo, observation


@pytest.fixture
def demo() -> Demo:
    """A demo with the pictures of all cameras."""
    return random_demo()


@pytest.fixture
def episode(demo: Demo, tmp_path: Path) -> Path:
    """The folder of that demo, as `write_rlbench_demo` makes it."""
    folder = tmp_path / "root" / "push_button" / "variation2" / "episodes" / "episode0"
    write_rlbench_demo(demo, folder)
    return folder
