"""What robomtl says that it needs: the requirements in its pyproject.toml or its metadata."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import robomtl

EXTRAS = ("view", "ray")
"""Optional parts that users install; `dev` is for who works on robomtl itself."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Requirements on Python and on libraries."""

    python: SpecifierSet
    """Versions of Python."""
    required: tuple[Requirement, ...]
    """Libraries without which nothing works."""
    optional: Mapping[str, tuple[Requirement, ...]]
    """Libraries of each of `EXTRAS` that there is."""


def declared() -> Declared:
    """The requirements of this robomtl.

    A checkout's own file goes first: the metadata of an editable installation is as old as that.
    """
    project = Path(robomtl.__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        table = tomllib.loads(project.read_text())["project"]
        extras = table["optional-dependencies"]
        return Declared(
            python=SpecifierSet(table["requires-python"]),
            required=_here(table["dependencies"]),
            optional={extra: _here(extras[extra]) for extra in EXTRAS if extra in extras},
        )
    lines = metadata.requires("robomtl") or []
    return Declared(
        python=SpecifierSet(metadata.metadata("robomtl")["Requires-Python"]),
        required=_here(lines),
        optional={extra: _of_extra(lines, extra) for extra in EXTRAS},
    )


def _here(lines: Iterable[str], extra: str = "") -> tuple[Requirement, ...]:
    """The requirements that hold on this machine, for this extra or for none."""
    return tuple(
        requirement
        for requirement in map(Requirement, lines)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
    )


def _of_extra(lines: Iterable[str], extra: str) -> tuple[Requirement, ...]:
    always = {str(requirement) for requirement in _here(lines)}
    return tuple(one for one in _here(lines, extra) if str(one) not in always)
