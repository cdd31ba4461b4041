"""What every test relies on: a headless renderer, one torch thread, repeatable examples."""

import os
import sys

import hypothesis
import pytest

# MuJoCo picks its renderer when it is first imported, so this comes before any test module.
if sys.platform == "linux" and not os.environ.get("DISPLAY"):
    os.environ.setdefault("MUJOCO_GL", "egl")

# Tests run side by side, one process per core: more threads would only wait for each other. Torch
# reads this when it is first imported, here and in the commands that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

hypothesis.settings.register_profile("robomtl", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "robomtl")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-slow") or "slow" in config.getoption("markexpr"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run it with --run-slow or -m slow"))
