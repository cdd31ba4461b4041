"""`robomtl doctor` names each fault it knows, and the command that mends it."""

import json
import os
import subprocess
import sys
import tomllib
from collections import namedtuple
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import robomtl
from robomtl.cli import main
from robomtl.doctor import command, devices, libraries, machine, rendering, simulators
from robomtl.doctor.declared import Declared, declared
from robomtl.doctor.rendering import Attempt, attempt, judge_rendering, judge_scene, wanted_backend

GIGABYTE = 10**9


@pytest.fixture(scope="module")
def pictures():
    """What really becomes of each backend on this machine; found out once."""
    return {backend: attempt("picture", backend) for backend in rendering.BACKENDS}


@pytest.fixture
def remembered(pictures, monkeypatch):
    monkeypatch.setattr(rendering, "attempt", lambda what, backend: pictures[backend])
    return pictures


@pytest.fixture
def versions(monkeypatch):
    """Libraries as they would be if these were all that are installed."""
    installed = {}
    demands = {}

    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda name: demands.get(name))
    return SimpleNamespace(installed=installed, demands=demands)


# The whole of it.


def test_this_machine_can_do_the_job(remembered, printed, tmp_path):
    file = tmp_path / "deep" / "doctor.json"
    text = printed("doctor", "--json", file)  # exit code 0, else there were an error to see
    assert "Everything that robomtl needs is here" in text
    findings = {finding["name"]: finding for finding in json.loads(file.read_text())}
    for name in ("python", "torch", "mujoco", "devices", "scene", "rendering", "disk", "memory"):
        assert findings[name]["status"] != "fault"
    assert findings["torch"]["detail"] == metadata.version("torch")
    warnings = sum(finding["status"] == "warning" for finding in json.loads(file.read_text()))
    assert f"Warnings: {warnings}." in text
    for finding in findings.values():
        assert finding["detail"]
        assert finding["status"] == "ok" or finding["remedy"]
        assert all(line in text for line in (finding["remedy"] or "").splitlines())


def test_a_wrong_choice_of_opengl_is_found():
    environ = {**os.environ, "MUJOCO_GL": "opengl", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "robomtl", "doctor"], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: robomtl cannot work here because of: rendering")
    assert "Traceback" not in done.stderr
    assert "MUJOCO_GL is 'opengl'; valid: egl, osmesa, glfw" in done.stdout
    assert "export MUJOCO_GL=" in done.stdout


def test_a_fault_makes_the_command_fail_after_everything_is_shown(
    remembered, monkeypatch, capsys, tmp_path
):
    _disk(monkeypatch, 0.1)
    with pytest.raises(SystemExit) as exit:
        main(["doctor", "--json", str(tmp_path / "doctor.json")])
    assert exit.value.code == 2
    printed = capsys.readouterr()
    assert "because of: disk" in printed.err
    assert "RLBench" in printed.out
    statuses = [one["status"] for one in json.loads((tmp_path / "doctor.json").read_text())]
    assert statuses.count("fault") == 1


def test_long_remedies_are_printed_whole(remembered, monkeypatch, capsys):
    monkeypatch.setattr(command.console, "width", 60, raising=False)
    command.doctor(command.DoctorConfig())
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    from robomtl.envs.rlbench.availability import problems

    assert {problem.remedy for problem in problems()} <= set(lines)


# Libraries.


def test_an_unsupported_python_is_a_fault(monkeypatch):
    monkeypatch.setattr(libraries.platform, "python_version", lambda: "3.10.4")
    finding = libraries.check_python(declared().python)
    assert finding.status == "fault"
    assert "3.10.4" in finding.detail
    assert finding.remedy


def test_a_missing_library_is_a_fault_with_its_installation(versions):
    finding = libraries.check_library(Requirement("ompl>=2.0"))
    assert (finding.status, finding.remedy) == ("fault", "pip install 'ompl>=2.0'")


def test_a_missing_part_of_an_extra_is_a_warning_that_names_the_extra(versions):
    finding = libraries.check_library(Requirement("rerun-sdk>=0.41"), "view")
    assert (finding.status, finding.remedy) == ("warning", "pip install 'robomtl[view]'")


@pytest.mark.parametrize(
    ("requirement", "version", "status"),
    [
        ("mujoco>=3.3.0", "3.2.7", "fault"),
        ("mujoco>=3.3.0", "3.3.0", "ok"),
        ("torch>=2.7", "2.7.0+cu126", "ok"),
        ("metaworld>=3.0.0,!=3.1.0", "3.1.0", "fault"),
        ("zarr>=3.1.3", "2.18.0", "fault"),
        ("ompl>=2.0", "2.1.0rc1", "ok"),
    ],
)
def test_versions_are_compared_with_what_is_supported(versions, requirement, version, status):
    requirement = Requirement(requirement)
    versions.installed[requirement.name] = version
    finding = libraries.check_library(requirement)
    assert finding.status == status
    assert version in finding.detail
    if status == "fault":
        assert Requirement(finding.remedy.split("'")[1]).specifier == requirement.specifier


def test_a_mujoco_that_metaworld_does_not_go_with_is_noticed(versions):
    versions.installed |= {"mujoco": "3.4.0", "metaworld": "3.0.0"}
    versions.demands["metaworld"] = ["mujoco<3.4,>=3.0.0", "pytest; extra == 'testing'"]
    (finding,) = libraries.check_compatibility(["metaworld", "mujoco"])
    assert (finding.name, finding.status) == ("mujoco for metaworld", "warning")
    assert finding.remedy == "pip install 'mujoco<3.4,>=3.0.0'"
    versions.installed["mujoco"] = "3.3.0"
    assert list(libraries.check_compatibility(["metaworld", "mujoco"])) == []


def test_everything_that_is_declared_is_looked_at(versions):
    needs = Declared(
        python=SpecifierSet(">=3.8"),
        required=(Requirement("torch>=2"),),
        optional={"view": (Requirement("rerun-sdk>=0.4"),)},
    )
    names = [finding.name for finding in libraries.check_libraries(needs)]
    assert names == ["python", "robomtl", "torch", "rerun-sdk"]


def test_every_extra_that_users_install_is_looked_at():
    project = Path(robomtl.__file__).parents[1] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    assert declared().optional.keys() == extras.keys() - {"dev"}


def test_a_wheel_declares_what_the_checkout_does(monkeypatch, tmp_path):
    """Installed, without pyproject.toml beside it, robomtl reads its metadata."""
    ours = declared()
    lines = [*map(str, ours.required)]
    lines += [f"{one}; extra == '{name}'" for name, many in ours.optional.items() for one in many]
    lines += ["pytest>=8; extra == 'dev'"]
    monkeypatch.setattr("robomtl.__file__", str(tmp_path / "robomtl" / "__init__.py"))
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    monkeypatch.setattr(metadata, "metadata", lambda name: {"Requires-Python": str(ours.python)})
    installed = declared()
    assert installed.python == ours.python
    assert [str(one) for one in installed.required] == [str(one) for one in ours.required]
    for extra, requirements in ours.optional.items():
        names = [one.name for one in installed.optional[extra]]
        assert names == [one.name for one in requirements]


# Where networks compute.


def _torch(monkeypatch, *, available=False, built=None):
    cuda = SimpleNamespace(
        is_available=lambda: available, device_count=lambda: 1, get_device_name=lambda i: "RTX"
    )
    fake = SimpleNamespace(
        cuda=cuda,
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: False)),
        version=SimpleNamespace(cuda=built, hip=None),
        get_num_threads=lambda: 4,
    )
    monkeypatch.setattr(devices, "import_module", lambda name: fake)


def test_a_processor_is_enough(monkeypatch):
    _torch(monkeypatch)
    assert devices.check_devices().status == "ok"


def test_a_card_is_named(monkeypatch):
    _torch(monkeypatch, available=True, built="12.6")
    assert "RTX" in devices.check_devices().detail


def test_a_card_without_its_driver_is_a_warning(monkeypatch):
    _torch(monkeypatch, built="12.6")
    finding = devices.check_devices()
    assert (finding.status, finding.remedy) == ("warning", "nvidia-smi")


@pytest.mark.parametrize("error", [ImportError("no module"), OSError("libcudart.so.12: no file")])
def test_a_torch_that_does_not_import_is_a_fault(monkeypatch, error):
    def broken(name):
        raise error

    monkeypatch.setattr(devices, "import_module", broken)
    finding = devices.check_devices()
    assert finding.status == "fault"
    assert str(error) in finding.detail
    assert "torch" in finding.remedy


# Rendering: with processes that are really broken, and with what they would say elsewhere.


def test_the_tests_own_backend_draws(pictures):
    picture = pictures[wanted_backend(os.environ)]
    assert picture.error == ""
    assert picture.renderer
    assert 0 < picture.seconds < rendering.SECONDS


@pytest.fixture
def sabotaged(tmp_path, monkeypatch):
    """Python code that every attempt runs before anything else."""

    def sabotage(code):
        (tmp_path / "sitecustomize.py").write_text(f"import os, sys\n{code}\n")
        path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
        monkeypatch.setenv("PYTHONPATH", path)

    return sabotage


def test_missing_meshes_are_a_fault(sabotaged):
    sabotaged("sys.modules['gymnasium_robotics'] = None")
    finding = judge_scene(attempt("scene", "disable"))
    assert (finding.status, finding.remedy) == ("fault", "pip install gymnasium-robotics")


def test_meshes_that_were_deleted_are_a_fault(sabotaged, tmp_path):
    sabotaged("")
    (tmp_path / "gymnasium_robotics").mkdir()
    (tmp_path / "gymnasium_robotics" / "__init__.py").touch()
    finding = judge_scene(attempt("scene", "disable"))
    assert finding.status == "fault"
    assert ".stl" in finding.detail
    assert "--force-reinstall" in finding.remedy


def test_a_missing_egl_library_is_answered_with_what_draws_instead(sabotaged):
    sabotaged("sys.modules['mujoco.egl'] = None")
    broken = attempt("picture", "egl")
    assert "mujoco.egl" in broken.error
    works = Attempt(seconds=2.0, renderer="llvmpipe")
    finding = judge_rendering("egl", {"egl": broken, "osmesa": works})
    assert (finding.status, finding.remedy) == ("fault", "export MUJOCO_GL=osmesa")
    assert finding.detail.startswith(f"egl, which is used here, cannot draw: {broken.error}")


def test_a_driver_that_ends_the_process_is_survived(sabotaged):
    sabotaged("os.kill(os.getpid(), 11)")
    assert attempt("picture", "egl").error == "ended by signal 11"


def test_a_driver_that_hangs_is_given_up(sabotaged, monkeypatch):
    sabotaged("import time; time.sleep(60)")
    monkeypatch.setattr(rendering, "SECONDS", 0.2)
    assert "no answer" in attempt("picture", "egl").error


def test_where_nothing_draws_the_remedy_installs_mesa():
    failed = {name: Attempt(error=f"no {name}") for name in rendering.BACKENDS}
    finding = judge_rendering("egl", failed)
    assert finding.status == "fault"
    assert "libegl1" in finding.remedy
    assert all(f"no {name}" in finding.detail for name in failed)


def test_rendering_on_a_card_and_in_software_are_told_apart():
    for renderer, words in (("NVIDIA A100/PCIe", "graphics card"), ("llvmpipe", "in software")):
        pictures = {"egl": Attempt(seconds=1.0, renderer=renderer), "glfw": Attempt(error="none")}
        finding = judge_rendering("egl", pictures)
        assert finding.status == "ok"
        assert words in finding.detail
        assert "glfw do not work" in finding.detail


@pytest.mark.parametrize(
    ("environ", "backend"),
    [
        ({}, "egl"),
        ({"DISPLAY": ":0"}, "glfw"),
        ({"MUJOCO_GL": "OSMesa "}, "osmesa"),
        ({"MUJOCO_GL": "glx"}, "glfw"),
        ({"MUJOCO_GL": "opengl"}, "opengl"),
    ],
)
def test_the_backend_is_the_one_that_robomtl_would_use(environ, backend):
    assert wanted_backend(environ) == backend


def test_a_scene_that_cannot_be_built_is_not_blamed_on_rendering(monkeypatch):
    monkeypatch.setattr(rendering, "attempt", lambda what, backend: Attempt(error="no ompl"))
    (finding,) = rendering.check_rendering()
    assert (finding.name, finding.status) == ("scene", "fault")


def test_a_scene_that_cannot_be_drawn_is_not_blamed_on_the_scene(monkeypatch):
    monkeypatch.setattr(
        rendering,
        "attempt",
        lambda what, backend: Attempt(error="" if what == "scene" else "no OpenGL"),
    )
    scene, drawing = rendering.check_rendering()
    assert (scene.status, drawing.status) == ("ok", "fault")


# The machine.


def _disk(monkeypatch, free, folder=None):
    Usage = namedtuple("Usage", "total used free")
    real = machine.shutil.disk_usage

    def usage(path):
        asked = (folder is None and path != machine.SHARED_MEMORY) or path == folder
        return Usage(0, 0, int(free * GIGABYTE)) if asked else real(path)

    monkeypatch.setattr(machine.shutil, "disk_usage", usage)


@pytest.mark.parametrize(
    ("free", "status"), [(100, "ok"), (2, "warning"), (0.4, "fault"), (0, "fault")]
)
def test_a_full_disk_is_noticed(monkeypatch, tmp_path, free, status):
    _disk(monkeypatch, free)
    finding = machine.check_disk(tmp_path)
    assert finding.status == status
    assert (finding.remedy is None) == (status == "ok")


@pytest.mark.parametrize(
    ("free", "limit", "status"),
    [
        (32, "max", "ok"),
        (32, str(3 * GIGABYTE), "warning"),
        (3, "max", "warning"),
        (0.8, "max", "fault"),
        (32, str(GIGABYTE // 2), "fault"),
    ],
)
def test_little_memory_is_noticed_in_containers_too(monkeypatch, tmp_path, free, limit, status):
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "MEMORY_LIMIT", tmp_path / "limit")
    monkeypatch.setattr(machine, "cores", lambda: 8)
    kilobytes = int(free * GIGABYTE / 1024)
    machine.MEMINFO.write_text(f"MemTotal: 99 kB\nMemAvailable:   {kilobytes} kB\n")
    machine.MEMORY_LIMIT.write_text(f"{limit}\n")
    finding = machine.check_memory()
    assert finding.status == status
    if status == "warning":
        assert finding.remedy in {f"robomtl quickstart --workers {n}" for n in (4, 5)}


@pytest.mark.parametrize(("used", "cached", "left"), [(6, 0, 2), (7, 3, 4), (8, 0, 0), (0, 1, 8)])
def test_a_container_has_what_it_does_not_use_yet(monkeypatch, tmp_path, used, cached, left):
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "MEMORY_LIMIT", tmp_path / "memory.max")
    files = {
        "meminfo": f"MemAvailable: {32 * GIGABYTE // 1024:.0f} kB\n",
        "memory.max": f"{8 * GIGABYTE:.0f}\n",
        "memory.current": f"{used * GIGABYTE:.0f}\n",
        "memory.stat": f"anon 1\ninactive_file {cached * GIGABYTE:.0f}\nactive_file 3\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert machine.check_memory().detail.startswith(f"{left:.1f} GB free")


def test_dockers_little_shared_memory_is_noticed(monkeypatch):
    _disk(monkeypatch, 0.067, machine.SHARED_MEMORY)
    finding = machine.check_shared_memory()
    assert finding.status == "warning"
    assert "--shm-size" in finding.detail


@pytest.mark.parametrize(
    ("variables", "status"),
    [({}, "warning"), ({"DISPLAY": ":1"}, "ok"), ({"WAYLAND_DISPLAY": "wayland-0"}, "ok")],
)
def test_a_missing_screen_is_no_fault(monkeypatch, variables, status):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine.check_screen().status == status


# RLBench.


def test_what_keeps_rlbench_from_running_is_listed_with_its_remedies(monkeypatch):
    from robomtl.envs.rlbench import availability

    problem = availability.Problem("COPPELIASIM_ROOT is not set.", "export COPPELIASIM_ROOT=/opt")
    monkeypatch.setattr(availability, "problems", lambda: [problem, problem])
    first, second = simulators.check_rlbench()
    assert first == second
    assert (first.status, first.detail, first.remedy) == ("warning", problem.what, problem.remedy)
    monkeypatch.setattr(availability, "problems", list)
    (found,) = simulators.check_rlbench()
    assert found.status == "ok"
