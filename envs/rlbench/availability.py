"""Whether RLBench can run here, and if not, what to do. Nothing is imported or started for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from robomtl.envs.exceptions import MissingSimulatorError

_DOWNLOAD = (
    "https://downloads.coppeliarobotics.com/V4_1_0/CoppeliaSim_Edu_V4_1_0_Ubuntu20_04.tar.xz"
)
_PYREP = "pip install git+https://github.com/stepjam/PyRep.git"
_RLBENCH = "pip install git+https://github.com/stepjam/RLBench.git"


@dataclass(frozen=True)
class Problem:
    """Something that keeps RLBench from running."""

    what: str
    """What is wrong, in one sentence."""
    remedy: str
    """The shell command that mends it."""


def problems() -> list[Problem]:
    """All that keeps RLBench from running here, in the order in which to mend it.

    An empty list means that everything is in place; only a start of the simulator could tell more.
    """
    return [*_coppeliasim(), *_screen(), *_pyrep(), *_rlbench()]


def require() -> None:
    """Import RLBench.

    Raises:
        MissingSimulatorError: It cannot run here; the message says what to do.
    """
    found = problems()
    if found:
        listed = "\n".join(f"- {problem.what}\n    {problem.remedy}" for problem in found)
        raise MissingSimulatorError(
            f"RLBench cannot run here. What is missing, and the commands that mend it:\n{listed}"
        )
    try:
        import_module("rlbench")
    except (ImportError, OSError) as error:  # libraries that CoppeliaSim needs, and those it has
        raise MissingSimulatorError(
            f"RLBench is installed, but importing it fails: {error}; `ldd "
            "$COPPELIASIM_ROOT/libcoppeliaSim.so` lists the system libraries that are missing"
        ) from error


def versions() -> dict[str, str]:
    """Versions of RLBench and PyRep, which `require` has imported."""
    return {name: str(import_module(name).__version__) for name in ("rlbench", "pyrep")}


def package_folder(name: str) -> Path | None:
    """Where a top-level package is installed, or None. Nothing is imported."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module of that name was made here, and comes from nowhere
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _coppeliasim() -> Iterator[Problem]:
    if sys.platform != "linux":
        yield Problem(
            f"PyRep, through which RLBench is driven, runs on Linux only, not on {sys.platform}.",
            "docker run -it ubuntu:24.04",
        )
    named = os.environ.get("COPPELIASIM_ROOT")
    root = Path(named or Path.home() / "CoppeliaSim")
    export = f"export COPPELIASIM_ROOT={root}"
    if named is None:
        yield Problem("The environment variable COPPELIASIM_ROOT is not set.", export)
    if not (root / "libcoppeliaSim.so").is_file():
        yield Problem(
            f"{root} holds no CoppeliaSim 4.1: there is no libcoppeliaSim.so in it.",
            f"mkdir -p {root} && curl -L {_DOWNLOAD} | tar -xJ -C {root} --strip-components 1",
        )
    for variable, use in (
        ("LD_LIBRARY_PATH", "so that its libraries are not found"),
        ("QT_QPA_PLATFORM_PLUGIN_PATH", "so that its Qt finds no plugin for the screen"),
    ):
        value = os.environ.get(variable, "")
        if root.resolve() not in [Path(part).resolve() for part in value.split(os.pathsep) if part]:
            yield Problem(
                f"{variable} does not name {root}, {use}; it must be set before Python starts.",
                f"export {variable}=${variable}:{root}",
            )


def _screen() -> Iterator[Problem]:
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        yield Problem(
            "There is no X server (DISPLAY is not set), and CoppeliaSim 4.1 draws through nothing "
            "else, even without a window.",
            "sudo apt-get install xvfb; Xvfb :99 -screen 0 1280x1024x24 & export DISPLAY=:99",
        )


def _pyrep() -> Iterator[Problem]:
    folder = package_folder("pyrep")
    if folder is None:
        yield Problem("PyRep is not installed.", _PYREP)
    elif not (folder / "pyrep.py").is_file() or not (folder / "backend").is_dir():
        yield Problem(
            f"The pyrep in {folder} is another project, which has that name on PyPI; the one that "
            "drives CoppeliaSim is not on PyPI.",
            f"pip uninstall --yes pyrep && {_PYREP}",
        )
    elif not any((folder / "backend").glob("_sim_cffi.*")):
        yield Problem(
            f"The PyRep in {folder} was installed without its compiled part.",
            f"{_PYREP.replace('install', 'install --force-reinstall --no-cache-dir')}",
        )


def _rlbench() -> Iterator[Problem]:
    folder = package_folder("rlbench")
    if folder is None:
        yield Problem("RLBench is not installed.", _RLBENCH)
    elif not (folder / "action_modes").is_dir():
        yield Problem(
            f"The RLBench in {folder} is older than 1.2.0, the first with today's action modes.",
            f"{_RLBENCH.replace('install', 'install --force-reinstall')}",
        )
