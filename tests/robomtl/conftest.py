import fcntl
import subprocess
import sys
import time

import pytest

from robomtl.cli import main
from robomtl.progress import console


class CommandLine:
    """`robomtl` as a user runs it, in a process of its own."""

    def run(self, *arguments):
        command = [sys.executable, "-m", "robomtl", *map(str, arguments)]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def kill(self, *arguments, when):
        """Starts the command and kills it, like a power cut, as soon as `when()` holds."""
        command = [sys.executable, "-m", "robomtl", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 120
        while not when():
            assert process.poll() is None, process.stdout.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def robomtl():
    return CommandLine()


@pytest.fixture
def refused(capsys, monkeypatch):
    """Runs a command in this process, which is quicker, and returns the error that it prints."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments):
        with pytest.raises(SystemExit) as exit:
            main([str(argument) for argument in arguments])
        message = capsys.readouterr().err
        assert exit.value.code == 2, message
        assert "Traceback" not in message
        return message

    return run


@pytest.fixture
def printed(capsys, monkeypatch):
    """Runs a command in this process, which is quicker, and returns what it prints."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(console, "width", 300)  # it reads COLUMNS once, when it is made

    def run(*arguments):
        code = None
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as exit:  # --help ends so
            code = exit.code
        printed = capsys.readouterr()
        assert not code, printed.err
        return printed.out

    return run


@pytest.fixture(scope="session")
def smoke(robomtl, tmp_path_factory, request):
    """The folder of one smoke quickstart, shared by the processes of a parallel test run."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if hasattr(request.config, "workerinput") else root
    with (root / "smoke.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "smoke.txt").exists():
            output = robomtl.run("quickstart", "--preset", "smoke", "--out", root / "smoke")
            (root / "smoke.txt").write_text(output)
    return root / "smoke"


@pytest.fixture(scope="session")
def goal_cache(tmp_path_factory):
    """Keeps Meta-World's goals in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
