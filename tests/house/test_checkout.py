"""Python started inside a checkout uses that checkout, whatever is installed."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

IMPORT_ALL = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__file__ for name in json.load(sys.stdin)}))
"""


def python(checkout: Path, code: str, given: str = "") -> str:
    """What a Python prints that starts inside the checkout and has robomtl installed nowhere.

    `-S` leaves out the site folder with its hooks for editable installs; the libraries come back
    through PYTHONPATH, which runs no such hooks.
    """
    libraries = os.pathsep.join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": libraries},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_module_imports_from_the_checkout(checkout: Path, sources: dict[str, Path]) -> None:
    imported = json.loads(python(checkout, IMPORT_ALL, json.dumps(list(sources))))
    assert {name: Path(file) for name, file in imported.items()} == sources


def test_importing_the_package_loads_no_library(checkout: Path) -> None:
    loaded = python(checkout, "import robomtl, sys; print(*sys.modules)").split()
    assert {"torch", "numpy", "mujoco", "robomtl.data", "robomtl.envs"} & set(loaded) == set()
