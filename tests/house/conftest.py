"""The checkout as its tests see it: where it is, its wings, its files and modules."""

import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# Folders of the checkout, and where they go when robomtl is installed.
WINGS = {
    "robomtl": "robomtl",
    "data": "robomtl/data",
    "envs": "robomtl/envs",
    "agents": "robomtl/agents",
}


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder that holds pyproject.toml."""
    return CHECKOUT


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    """pyproject.toml, parsed."""
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def files() -> dict[PurePosixPath, Path]:
    """Every file of the wings, by the place where it must be once installed."""
    return {
        PurePosixPath(place, *file.relative_to(CHECKOUT / folder).parts): file
        for folder, place in WINGS.items()
        for file in sorted((CHECKOUT / folder).rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }


@pytest.fixture(scope="session")
def sources(files: dict[PurePosixPath, Path]) -> dict[str, Path]:
    """Every module of the wings, by the name it imports as."""
    return {
        ".".join((place.parent if place.stem == "__init__" else place.with_suffix("")).parts): file
        for place, file in files.items()
        if file.suffix == ".py"
    }
