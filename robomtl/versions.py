"""Which code produced a result."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import robomtl


def versions() -> dict[str, str]:
    """Versions of Python, of the libraries that results depend on, and of robomtl.

    "commit" is there only where robomtl runs from a git checkout; "+changes" marks uncommitted
    changes.
    """
    found = {"robomtl": robomtl.__version__, "python": platform.python_version()}
    found |= {name: version(name) for name in ("torch", "mujoco", "numpy", "gymnasium", "zarr")}
    commit = _git("rev-parse", "--short=12", "HEAD")
    if commit:
        found["commit"] = commit + ("+changes" if _git("status", "--porcelain") else "")
    return found


def _git(*arguments: str) -> str:
    checkout = Path(robomtl.__file__).parent.parent
    if not (checkout / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(checkout), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
