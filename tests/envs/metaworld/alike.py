"""Whether two vectors of environments do the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from robomtl.envs.metaworld.vec_env import MetaWorldVecEnv


def assert_alike(
    env: MetaWorldVecEnv,
    other: MetaWorldVecEnv,
    actions: Callable[[MetaWorldVecEnv, int], NDArray[np.float32]],
) -> None:
    """Reset both and take the same eight steps in both."""
    np.testing.assert_array_equal(env.reset(), other.reset())
    for step in range(8):
        drawn = actions(env, step)
        for ours, expected in zip(env.step(drawn)[:3], other.step(drawn)[:3], strict=True):
            np.testing.assert_array_equal(ours, expected)
