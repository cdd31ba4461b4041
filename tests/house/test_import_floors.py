"""Imports go down the house only: commands know agents, agents know data, never back up."""

import sys
from pathlib import Path

import pytest

from tests.house.imports import imported_names

FLOORS = ("data", "methods", "envs", "agents")
# What each wing may import of the others; the rest of robomtl stands above and may import all.
MAY_IMPORT = {
    "data": {"data"},
    "methods": {"methods"},
    "envs": {"envs", "data"},
    "agents": {"agents", "data", "methods"},
}
# The two lowest floors are also kept free of everybody else's robots, networks and commands.
MAY_REQUIRE = {
    "data": {"numpy", "torch", "zarr", "numcodecs", "PIL"},
    "methods": {"numpy", "torch"},
}


def wing(module: str) -> str:
    """The floor a module of robomtl stands on; "robomtl" for all that is above the wings."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else "robomtl"


@pytest.mark.parametrize("floor", FLOORS)
def test_a_wing_imports_only_the_floors_below(floor: str, sources: dict[str, Path]) -> None:
    upwards = [
        f"{file}:{line} imports {name}"
        for module, file in sources.items()
        if wing(module) == floor
        for line, name in imported_names(file)
        if name.split(".")[0] == "robomtl" and wing(name) not in MAY_IMPORT[floor]
    ]
    assert upwards == []


@pytest.mark.parametrize("floor", sorted(MAY_REQUIRE))
def test_the_lowest_floors_require_little(floor: str, sources: dict[str, Path]) -> None:
    allowed = {"robomtl", *MAY_REQUIRE[floor], *sys.stdlib_module_names}
    others = [
        f"{file}:{line} imports {name}"
        for module, file in sources.items()
        if wing(module) == floor
        for line, name in imported_names(file)
        if name.split(".")[0] not in allowed
    ]
    assert others == []


def test_imports_are_absolute(sources: dict[str, Path]) -> None:
    relative = [
        f"{file}:{line} imports {name}"
        for file in sources.values()
        for line, name in imported_names(file)
        if name.startswith(".")
    ]
    assert relative == []


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import robomtl.envs.tabletop", ["robomtl.envs.tabletop"]),
        ("from robomtl import agents, data", ["robomtl.agents", "robomtl.data"]),
        ("from robomtl.envs import make", ["robomtl.envs"]),
        ("def f():\n    from robomtl.cli import main", ["robomtl.cli"]),
        ("from . import cli", ["."]),
    ],
)
def test_no_way_of_importing_goes_unseen(code: str, names: list[str], tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(code)
    assert [name for _, name in imported_names(file)] == names
