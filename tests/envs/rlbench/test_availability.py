"""What is missing for RLBench is said, with the command that mends it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import pytest

from robomtl import envs
from robomtl.envs.rlbench import availability
from tests.fakes.installed import FAKES, PACKAGES

INSTALLED = pytest.mark.usefixtures("rlbench")


def only_problem() -> availability.Problem:
    (problem,) = availability.problems()
    with pytest.raises(envs.MissingSimulatorError) as raised:
        envs.make("reach_target", simulator="rlbench")
    assert problem.what in str(raised.value)
    assert problem.remedy in str(raised.value)
    return problem


@INSTALLED
def test_nothing_is_wrong_where_all_is_installed() -> None:
    assert availability.problems() == []
    availability.require()
    assert availability.versions() == {"rlbench": "1.2.0", "pyrep": "4.1.0.3"}


def test_looking_neither_imports_nor_starts_anything() -> None:
    assert {problem.remedy.split()[0] for problem in availability.problems()} >= {"pip"}
    assert not {"rlbench", "pyrep"} & set(sys.modules)


@INSTALLED
@pytest.mark.parametrize(
    ("variable", "remedy"),
    [
        ("LD_LIBRARY_PATH", "export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:"),
        ("QT_QPA_PLATFORM_PLUGIN_PATH", "export QT_QPA_PLATFORM_PLUGIN_PATH="),
        ("DISPLAY", "Xvfb :99"),
    ],
)
def test_a_missing_variable_is_named(
    variable: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)
    problem = only_problem()
    assert variable in problem.what
    assert remedy in problem.remedy


@INSTALLED
def test_a_library_path_elsewhere_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/lib/somewhere")
    assert "=$LD_LIBRARY_PATH:" in only_problem().remedy
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/usr/lib/somewhere::{tmp_path}/CoppeliaSim/")
    assert availability.problems() == []


@INSTALLED
def test_a_folder_without_coppeliasim_is_named(tmp_path: Path) -> None:
    (tmp_path / "CoppeliaSim" / "libcoppeliaSim.so").unlink()
    problem = only_problem()
    assert str(tmp_path / "CoppeliaSim") in problem.what
    assert "CoppeliaSim_Edu_V4_1_0" in problem.remedy


@INSTALLED
def test_a_missing_root_is_the_first_thing_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COPPELIASIM_ROOT")
    first = availability.problems()[0]
    assert "COPPELIASIM_ROOT is not set" in first.what
    assert first.remedy.startswith("export COPPELIASIM_ROOT=")


@INSTALLED
def test_another_system_than_linux_is_said_not_to_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Linux only" in availability.problems()[0].what


def forget() -> None:
    """Has the packages looked for anew; what was imported would be found again."""
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
        del sys.modules[name]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rlbench: object) -> Path:
    """A folder whose packages are found before the fake's."""
    forget()
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def elsewhere(rlbench: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake's folder is none of those that Python looks into."""
    forget()
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry) != FAKES])


@pytest.mark.usefixtures("elsewhere")
def test_missing_packages_are_named_with_their_sources() -> None:
    pyrep, rlbench = availability.problems()
    assert pyrep.what == "PyRep is not installed."
    assert pyrep.remedy == "pip install git+https://github.com/stepjam/PyRep.git"
    assert rlbench.what == "RLBench is not installed."
    assert rlbench.remedy == "pip install git+https://github.com/stepjam/RLBench.git"


@pytest.mark.usefixtures("elsewhere")
def test_packages_installed_as_editable_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Editable:
        """Knows where packages are, as what `pip install --editable` leaves in site-packages."""

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            return PathFinder.find_spec(name, [str(FAKES)]) if name in PACKAGES else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable])
    assert availability.problems() == []
    assert not set(PACKAGES) & set(sys.modules)
    availability.require()


@pytest.mark.usefixtures("elsewhere")
def test_a_module_that_comes_from_nowhere_is_no_installation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rlbench", ModuleType("rlbench"))
    assert "RLBench is not installed." in [problem.what for problem in availability.problems()]


def test_the_unrelated_pyrep_of_pypi_is_recognised(site: Path) -> None:
    (site / "pyrep").mkdir()
    (site / "pyrep" / "__init__.py").write_text("raise RuntimeError('imported')")
    problem = only_problem()
    assert "another project" in problem.what
    assert problem.remedy.startswith("pip uninstall --yes pyrep && pip install git+")


def test_a_pyrep_without_its_compiled_part_is_recognised(site: Path) -> None:
    (site / "pyrep" / "backend").mkdir(parents=True)
    (site / "pyrep" / "__init__.py").touch()
    (site / "pyrep" / "pyrep.py").touch()
    (site / "pyrep" / "backend" / "sim.py").touch()
    assert "compiled" in only_problem().what


def test_an_old_rlbench_is_recognised(site: Path) -> None:
    (site / "rlbench").mkdir()
    (site / "rlbench" / "__init__.py").touch()
    assert "older than 1.2.0" in only_problem().what


def test_an_import_that_fails_says_how_to_find_out_more(site: Path) -> None:
    (site / "rlbench" / "action_modes").mkdir(parents=True)
    (site / "rlbench" / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open')")
    assert availability.problems() == []
    with pytest.raises(envs.MissingSimulatorError, match=r"libGL\.so\.1.*ldd"):
        envs.variation_count("reach_target", "rlbench")
