"""Demonstrations and samples made of numbers alone."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robomtl.data import Demo, DemoKey, layout
from robomtl.data.observation import LOW_DIM

CAMERAS = ("wrist", "front")
IMAGE_SIZE = 8


@pytest.fixture(scope="session")
def make_demo() -> Callable[..., Demo]:
    """Makes a demo of random numbers that depend on `seed` alone; columns can be replaced."""

    def make(
        frames: int = 12, seed: int = 0, columns: Mapping[str, Any] | None = None, **settings: Any
    ) -> Demo:
        rng = np.random.default_rng(seed)
        drawn: dict[str, Any] = {
            name: rng.normal(size=(frames, *(5 if size is None else size for size in shape)))
            for name, shape in LOW_DIM.items()
        }
        drawn["gripper_open"] = rng.integers(0, 2, frames).astype(float)
        settings = {
            "task": "reach_target",
            "variation": 0,
            "states": rng.normal(size=(frames, 9)),
            **settings,
        }
        return Demo({**drawn, **(columns or {})}, seed=seed, **settings)

    return make


@pytest.fixture(scope="session")
def make_samples() -> Callable[..., dict[str, NDArray[Any]]]:
    """Makes the samples of an episode; every number tells the demo and the sample it is of."""

    def make(
        key: DemoKey,
        count: int = 3,
        cameras: tuple[str, ...] = CAMERAS,
        image_size: int = IMAGE_SIZE,
    ) -> dict[str, NDArray[Any]]:
        rng = np.random.default_rng([len(key.task), key.variation, key.seed, count])
        samples = {}
        for name, field in layout.fields(cameras, image_size).items():
            if name != "task":
                shape = (count, *(size or 0 for size in field.shape))
                samples[name] = rng.integers(0, 256, shape).astype(field.dtype)
        samples["stage"] = np.arange(count)
        return samples

    return make
