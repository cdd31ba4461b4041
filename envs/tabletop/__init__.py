"""The embedded simulator: the ten tasks on MuJoCo."""

from __future__ import annotations

import os
import sys

# MuJoCo picks its OpenGL when it is first imported. Without a screen, EGL is what works.
if sys.platform == "linux" and not os.environ.get("DISPLAY"):
    os.environ.setdefault("MUJOCO_GL", "egl")

from robomtl.envs.tabletop.environment import TabletopEnv

__all__ = ["TabletopEnv"]
