"""pyproject.toml and constraints.txt say what is true of the checkout."""

import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import robomtl
from tests.house.imports import imported_names


def test_every_folder_with_python_in_it_is_installed(
    pyproject: dict[str, Any], sources: dict[str, Path]
) -> None:
    folders = {
        name if file.name == "__init__.py" else name.rpartition(".")[0]
        for name, file in sources.items()
    }
    assert set(pyproject["tool"]["setuptools"]["packages"]) == folders


def test_every_installed_folder_is_a_regular_package(sources: dict[str, Path]) -> None:
    folders = {file.parent for file in sources.values()}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_every_dependency_has_a_tested_version_within_its_bounds(
    checkout: Path, pyproject: dict[str, Any]
) -> None:
    lines = (checkout / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = pyproject["project"]
    requirements = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    for line in requirements:
        requirement = Requirement(line)
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"constraints.txt has no version of {requirement.name}"
        assert requirement.specifier.contains(pin), f"constraints.txt: {requirement} is not {pin}"


def test_every_dependency_says_why_it_is_there(checkout: Path) -> None:
    text = (checkout / "pyproject.toml").read_text()
    requirements = re.findall(r'^  "[\w.-]+[><=!].*$', text, flags=re.MULTILINE)
    assert requirements
    assert [line for line in requirements if " # " not in line] == []


# Imported where they are installed, but on no index that a requirement could name.
UNPUBLISHED = {"rlbench", "pyrep"}


def libraries(files: Iterable[Path]) -> set[str]:
    """Top-level names of others' packages that these files import."""
    names = {name.partition(".")[0] for file in files for _, name in imported_names(file)}
    return names - sys.stdlib_module_names - {"robomtl", "tests", "benchmarks"} - UNPUBLISHED


def distributions(requirements: Iterable[str]) -> set[str]:
    """The names of what is required, in the one spelling that all their spellings share."""
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def providers(library: str) -> set[str]:
    """The distributions that a library's import name may come from; its own name if not here."""
    return set(map(canonicalize_name, metadata.packages_distributions().get(library, [library])))


def test_every_library_that_is_imported_is_required(
    checkout: Path, pyproject: dict[str, Any], sources: dict[str, Path]
) -> None:
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    installed = distributions(project["dependencies"])
    optional = distributions(line for name in extras if name != "dev" for line in extras[name])
    developing = installed | distributions(extras["dev"])

    used = libraries(sources.values())
    assert {name for name in used if not providers(name) & (installed | optional)} == set()
    used = libraries([*checkout.glob("tests/**/*.py"), *checkout.glob("benchmarks/**/*.py")])
    assert {name for name in used if not providers(name) & (developing | optional)} == set()


def test_installed_version_is_the_package_version() -> None:
    try:
        installed = metadata.version("robomtl")
    except metadata.PackageNotFoundError:
        pytest.skip("robomtl is not installed here")
    assert installed == robomtl.__version__
