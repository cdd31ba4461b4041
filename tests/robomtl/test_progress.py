"""In a log file, progress is whole lines, now and then."""

import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest

from robomtl.progress import INTERVAL, console, progress_bar


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when a test says so."""
    seconds = [0.0]
    monkeypatch.setattr(console, "get_time", lambda: seconds[0])

    def wait(more):
        seconds[0] += more

    return wait


def test_long_work_prints_a_line_every_interval_and_one_at_the_end(clock, capsys):
    with progress_bar("training", 5000, 4000) as advance:
        for step in range(1000):
            clock(0.09)
            advance(f"loss {step / 1000:.1f}")
    assert capsys.readouterr().out.splitlines() == [
        "training: 4334 of 5000, loss 0.3, 60 s left",
        "training: 4668 of 5000, loss 0.7, 30 s left",
        "training: 5000 of 5000, loss 1.0, in 2 min",
    ]


def test_short_work_prints_one_line_and_no_work_none(clock, capsys):
    with progress_bar("episodes", 3) as advance:
        for _ in range(3):
            clock(INTERVAL / 4)
            advance()
    with progress_bar("films", 2, 2):
        pass
    assert capsys.readouterr().out == "episodes: 3 of 3, in 22 s\n"


def test_work_that_fails_has_no_line_of_its_end(clock, capsys):
    with suppress(RuntimeError), progress_bar("films", 2) as advance:
        advance()
        raise RuntimeError
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(59, "59 s"), (300, "5 min"), (9000, "2.5 h"), (90000, "25.0 h")]
)
def test_the_time_that_is_left_is_rounded_to_what_matters(clock, capsys, seconds, words):
    with progress_bar("frames", 2) as advance:
        clock(max(seconds, INTERVAL))
        advance()
    assert f"frames: 1 of 2, {words} left\n" in capsys.readouterr().out


def test_names_are_printed_as_they_are_however_long(clock, capsys, monkeypatch):
    monkeypatch.setattr(console, "width", 20)
    with progress_bar("a run that is [/called] so", 1) as advance:
        advance("auto_lambda[exact]")
    assert (
        capsys.readouterr().out
        == "a run that is [/called] so: 1 of 1, auto_lambda[exact], in 0 s\n"
    )


SCRIPT = """
from robomtl.progress import progress_bar
with progress_bar("runs [/red]", 2) as advance:
    advance("one [of]")
    advance("two [of]")
"""


def test_a_log_has_lines_and_a_terminal_a_bar():
    log = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert (log.stdout, log.stderr) == ("runs [/red]: 2 of 2, two [of], in 0 s\n", "")
    main, terminal = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environ, stdout=terminal, stderr=terminal, timeout=60
    )
    os.close(terminal)
    shown = os.read(main, 2**16).decode()
    os.close(main)
    assert done.returncode == 0, shown
    assert "━" in shown
    assert "runs [/red]" in shown
    assert "two [of]" in shown
