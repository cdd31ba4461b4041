"""Whether the robot's scene can be built, and what can draw it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from robomtl.doctor.finding import Finding

BACKENDS = ("egl", "osmesa", "glfw")
"""MuJoCo's ways to OpenGL on Linux: with a card or Mesa, by Mesa in memory, in a window."""

SECONDS = 120
"""After which an attempt is given up."""

_WINDOW = ("glfw", "glx", "enable", "enabled", "on", "true", "1")
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software")
_REMEDIES = (  # by what an error says
    ("gymnasium-robotics", "pip install gymnasium-robotics"),
    (".stl", "pip install --force-reinstall --no-deps gymnasium-robotics"),
)
_INSTALL = "sudo apt-get install -y libegl1 libgl1-mesa-dri && export MUJOCO_GL=egl"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What became of an attempt to build or draw a scene in a process of its own."""

    seconds: float = 0.0
    """From starting to import to having it."""
    renderer: str = ""
    """OpenGL's name of what drew it."""
    error: str = ""
    """Why it failed; empty where it did not."""


def check_rendering() -> Iterator[Finding]:
    """Builds a scene and draws it with every backend."""
    wanted = wanted_backend(os.environ)
    pictures = {backend: attempt("picture", backend) for backend in BACKENDS}
    drawn = [picture for picture in pictures.values() if not picture.error]
    # What was drawn was built. Only where nothing was must it be found out which of both fails.
    scene = drawn[0] if drawn else attempt("scene", "disable")
    yield judge_scene(scene)
    if not scene.error:
        yield judge_rendering(wanted, pictures)


def wanted_backend(environ: Mapping[str, str]) -> str:
    """The backend that robomtl uses in this environment; a value that is none is handed back."""
    value = environ.get("MUJOCO_GL", "").lower().strip()
    if not value:
        return "glfw" if environ.get("DISPLAY") else "egl"  # as `robomtl.envs.tabletop` chooses
    return "glfw" if value in _WINDOW else value


def attempt(what: Literal["scene", "picture"], backend: str) -> Attempt:
    """Builds a scene, or draws one, with `MUJOCO_GL` set to a backend."""
    command = [sys.executable, "-m", "robomtl.doctor.attempt", what]
    environ = {**os.environ, "MUJOCO_GL": backend}
    environ.pop("PYOPENGL_PLATFORM", None)  # what this process chose; it would overrule the other
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return Attempt(error=f"no answer in {SECONDS} s")
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    if done.returncode < 0:
        return Attempt(error=f"ended by signal {-done.returncode}")
    if done.returncode > 0 or not lines:
        return Attempt(error=_reason(lines))
    return Attempt(**json.loads(lines[-1]))


def judge_scene(scene: Attempt) -> Finding:
    """Whether MuJoCo, the meshes and the planner are in working order."""
    if not scene.error:
        return Finding(name="scene", status="ok", detail="robot and objects load")
    fitting = (remedy for part, remedy in _REMEDIES if part in scene.error)
    return Finding(
        name="scene",
        status="fault",
        detail=f"no scene can be built: {scene.error}",
        remedy=next(fitting, "pip install --upgrade -c constraints.txt -e ."),
    )


def judge_rendering(wanted: str, pictures: Mapping[str, Attempt]) -> Finding:
    """Whether the backend that robomtl would use draws, and if not, which does."""
    working = [backend for backend, picture in pictures.items() if not picture.error]
    failing = [backend for backend in pictures if backend not in working]
    if wanted in working:
        picture = pictures[wanted]
        kind = "in software" if _is_software(picture.renderer) else "on the graphics card"
        rest = f"; {' and '.join(failing)} do not work" if failing else ""
        return Finding(
            name="rendering",
            status="ok",
            detail=f"{wanted} draws {kind} ({picture.renderer}), first picture after "
            f"{picture.seconds:.1f} s{rest}",
        )
    if wanted in pictures:
        problem = f"{wanted}, which is used here, cannot draw: {pictures[wanted].error}"
    else:
        problem = f"MUJOCO_GL is {wanted!r}; valid: {', '.join(BACKENDS)}"
    if working:
        return Finding(
            name="rendering",
            status="fault",
            detail=f"{problem}; {' and '.join(working)} would work",
            remedy=f"export MUJOCO_GL={working[0]}",
        )
    reasons = "; ".join(f"{name}: {picture.error}" for name, picture in pictures.items())
    return Finding(
        name="rendering", status="fault", detail=f"no OpenGL works ({reasons})", remedy=_INSTALL
    )


def _is_software(renderer: str) -> bool:
    return any(name in renderer.lower() for name in _SOFTWARE)


def _reason(lines: list[str]) -> str:
    """The last line of a traceback that names an error, shortened to fit into a table."""
    named = [line for line in lines if line[:1].isalpha() and ": " in line]
    return (named or lines or ["it said nothing"])[-1][:200]
