"""The fake RLBench, installed for as long as a test needs it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FAKES = Path(__file__).parent
PACKAGES = ("rlbench", "pyrep")


@pytest.fixture
def rlbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Makes `import rlbench` find the fake, in processes started from here too.

    RLBench's and PyRep's modules are loaded anew for every test, so that tests may change them.
    """
    root = tmp_path / "CoppeliaSim"
    root.mkdir()
    (root / "libcoppeliaSim.so").touch()
    for variable in ("COPPELIASIM_ROOT", "LD_LIBRARY_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH"):
        monkeypatch.setenv(variable, str(root))
    monkeypatch.setenv("DISPLAY", os.environ.get("DISPLAY") or ":99")
    monkeypatch.setenv("PYTHONPATH", str(FAKES), prepend=os.pathsep)
    monkeypatch.syspath_prepend(FAKES)
    for name in list(sys.modules):
        if name.split(".")[0] in PACKAGES:
            monkeypatch.delitem(sys.modules, name)
    import rlbench

    from robomtl import environments
    from robomtl.envs.rlbench import environment
    from robomtl.envs.rlbench.simulator import Simulator

    # One of its own: environments of other tests may not have been collected yet.
    simulator = Simulator()
    monkeypatch.setattr(environment, "SIMULATOR", simulator)
    yield rlbench
    while environments._kept:  # by a command that a test ran in this process
        environments._kept.popitem()[1].close()
    simulator.shut_down()
    for name in list(sys.modules):
        if name.split(".")[0] in PACKAGES:
            del sys.modules[name]
