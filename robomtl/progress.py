"""One look for all progress: what, how far, how long still."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

INTERVAL = 30.0
"""Seconds between two lines of progress where no bar can be drawn."""

console = Console()


class Advance(Protocol):
    """What moves a progress bar on."""

    def __call__(self, note: str = "", by: int = 1) -> None:
        """One more is done, or several; the note stands at the end of the bar."""


def progress_bar(what: str, total: int, done: int = 0) -> AbstractContextManager[Advance]:
    """Shows progress while the `with` block runs, which gets the function to move it on.

    In a terminal it is a bar. Elsewhere, such as in a log file, it is a line every `INTERVAL` and
    one at the end, unless there was nothing to do.

    Args:
        what: Name of what is counted.
        total: How many there are.
        done: How many of them were done before.
    """
    return (_bar if console.is_interactive else _lines)(what, total, done)


@contextmanager
def _bar(what: str, total: int, done: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}", markup=False),  # a folder's name may have brackets
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        line = progress.add_task(what, total=total, completed=done, note="")

        def advance(note: str = "", by: int = 1) -> None:
            progress.update(line, advance=by, note=note)

        yield advance


@contextmanager
def _lines(what: str, total: int, done: int) -> Iterator[Advance]:
    started = printed = console.get_time()
    count, latest = done, ""

    def show(time: str) -> None:
        parts = filter(None, (f"{what}: {count} of {total}", latest, time))
        console.print(", ".join(parts), markup=False, highlight=False, soft_wrap=True)

    def advance(note: str = "", by: int = 1) -> None:
        nonlocal count, latest, printed
        count, latest, now = count + by, note, console.get_time()
        if now - printed >= INTERVAL and count < total:
            printed = now
            left = (now - started) * (total - count) / (count - done)
            show(f"{_duration(left)} left")

    yield advance
    if count > done:
        show(f"in {_duration(console.get_time() - started)}")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
