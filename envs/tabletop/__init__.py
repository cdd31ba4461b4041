"""The embedded simulator: the ten tasks on MuJoCo."""

from __future__ import annotations

import robomtl.envs.opengl  # noqa: F401  # before MuJoCo
from robomtl.envs.tabletop.environment import TabletopEnv

__all__ = ["TabletopEnv"]
