"""A wheel built from the checkout and installed elsewhere is complete."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import robomtl

IMPORT_ALL = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__file__ for name in json.load(sys.stdin)}))
"""


def run(*command: str, cwd: Path, given: str = "", **environment: str) -> str:
    """Standard output of a command that must succeed."""
    result = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def installed(
    checkout: Path, pyproject: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder that the wheel is installed in, far from the checkout.

    Built from a copy: setuptools leaves folders behind where it builds, and takes back out of them
    files that are long deleted.
    """
    copy = tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(checkout / name, copy)
    for folder in pyproject["tool"]["setuptools"]["package-dir"].values():
        shutil.copytree(
            checkout / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    wheels, site = copy / "wheels", tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    offline = ("--no-deps", "--no-index")
    run(*pip, "wheel", ".", *offline, "--no-build-isolation", "-w", str(wheels), cwd=copy)
    (wheel,) = wheels.glob("robomtl-*.whl")
    run(*pip, "install", str(wheel), *offline, "--target", str(site), cwd=copy)
    return site


def test_every_module_imports_from_the_wheel(
    installed: Path, sources: dict[str, Path], tmp_path: Path
) -> None:
    names = json.dumps(list(sources))
    printed = run(
        sys.executable, "-c", IMPORT_ALL, cwd=tmp_path, given=names, PYTHONPATH=str(installed)
    )
    imported = json.loads(printed)
    assert list(imported) == list(sources)
    assert [file for file in imported.values() if not Path(file).is_relative_to(installed)] == []


def test_every_file_is_in_the_wheel(installed: Path, files: dict[PurePosixPath, Path]) -> None:
    # A template that is missing here is missing from package-data in pyproject.toml.
    assert [str(place) for place in files if not (installed / place).is_file()] == []


def test_the_command_starts_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    command = str(installed / "bin" / "robomtl")
    shown = run(command, "--help", cwd=tmp_path, PYTHONPATH=str(installed))
    assert "quickstart" in shown


def test_the_wheel_has_the_package_version(installed: Path) -> None:
    assert [folder.name for folder in installed.glob("*.dist-info")] == [
        f"robomtl-{robomtl.__version__}.dist-info"
    ]
