"""Python and libraries: which versions are here, and whether they may be."""

import platform
from collections.abc import Iterable, Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import robomtl
from robomtl.doctor.declared import Declared
from robomtl.doctor.finding import Finding, Status


def check_libraries(needs: Declared) -> Iterator[Finding]:
    """Everything that `needs` lists, and what these libraries require of each other."""
    yield check_python(needs.python)
    yield Finding(name="robomtl", status="ok", detail=robomtl.__version__)
    for requirement in needs.required:
        yield check_library(requirement)
    for extra, requirements in needs.optional.items():
        for requirement in requirements:
            yield check_library(requirement, extra)
    everything = [*needs.required, *(one for many in needs.optional.values() for one in many)]
    yield from check_compatibility(canonicalize_name(one.name) for one in everything)


def check_python(supported: SpecifierSet) -> Finding:
    """The interpreter's version."""
    version = platform.python_version()
    if supported.contains(version, prereleases=True):
        return Finding(name="python", status="ok", detail=version)
    return Finding(
        name="python",
        status="fault",
        detail=f"{version}; robomtl needs {supported}",
        remedy="make PYTHON=python3.12",
    )


def check_library(requirement: Requirement, extra: str | None = None) -> Finding:
    """One library's version; those of an extra are optional.

    Args:
        requirement: Its name, and the versions that robomtl works with.
        extra: The extra that it belongs to, if to any.
    """
    bad: Status = "fault" if extra is None else "warning"
    version = installed_version(requirement.name)
    if version is None:
        return Finding(
            name=requirement.name,
            status=bad,
            detail="not installed" + (f"; optional, part of robomtl[{extra}]" if extra else ""),
            remedy=f"pip install '{requirement if extra is None else f'robomtl[{extra}]'}'",
        )
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(
            name=requirement.name,
            status=bad,
            detail=f"{version}; robomtl needs {requirement.specifier}",
            remedy=f"pip install '{_bare(requirement)}'",
        )
    return Finding(name=requirement.name, status="ok", detail=version)


def check_compatibility(names: Iterable[str]) -> Iterator[Finding]:
    """One warning for each demand of these libraries that another one of them does not meet.

    Simulators demand exact versions of MuJoCo: a newer one may load, and simulate otherwise.
    """
    names = list(names)
    for name in names:
        if installed_version(name) is None:
            continue
        for requirement in map(Requirement, metadata.requires(name) or ()):
            other = canonicalize_name(requirement.name)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            version = installed_version(other) if other in names else None
            if version and not requirement.specifier.contains(version, prereleases=True):
                yield Finding(
                    name=f"{other} for {name}",
                    status="warning",
                    detail=f"{other} {version}; {name} needs {requirement.specifier}",
                    remedy=f"pip install '{_bare(requirement)}'",
                )


def installed_version(name: str) -> str | None:
    """The version of a library, or None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _bare(requirement: Requirement) -> str:
    """A requirement as pip takes it on a command line: without the condition."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"
