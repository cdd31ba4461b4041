"""OpenGL for MuJoCo, which picks it when it is first imported: after this module, then.

Where there is none, MuJoCo is imported without it. Whatever draws nothing works all the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from robomtl.envs.exceptions import RenderingError


def _import_mujoco() -> Exception | None:
    """What keeps MuJoCo from being imported with OpenGL, if something does."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")  # without a screen, this is what works
    try:
        import mujoco
    except Exception as failure:  # each backend has its own exceptions
        chosen = os.environ.get("MUJOCO_GL")
        os.environ["MUJOCO_GL"] = "disable"
        try:
            import mujoco  # noqa: F401
        finally:
            # As it was, so that processes which this one starts find out the same.
            del os.environ["MUJOCO_GL"]
            if chosen is not None:
                os.environ["MUJOCO_GL"] = chosen
        return failure
    return None


_FAILURE = _import_mujoco()


@contextmanager
def opened_context() -> Iterator[None]:
    """Where a context is created: what a backend raises there becomes an error that says more.

    Raises:
        RenderingError: There is no usable OpenGL.
    """
    try:
        if _FAILURE is not None:
            raise _FAILURE
        yield
    except Exception as error:
        raise RenderingError(
            f"no OpenGL context could be created ({type(error).__name__}: {error}). Without a "
            "screen, set MUJOCO_GL=egl and install Mesa: apt-get install libegl1 libgl1-mesa-dri. "
            "`robomtl doctor` tries out what can draw"
        ) from error
