"""One look for every progress bar: what, how far, how long still."""

from collections.abc import Iterator
from contextlib import contextmanager
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

console = Console()


class Advance(Protocol):
    """What moves a progress bar on."""

    def __call__(self, note: str = "") -> None:
        """One more is done; the note stands at the end of the bar."""


@contextmanager
def progress_bar(what: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Shows a progress bar while the `with` block runs, which gets the function to move it on.

    Args:
        what: Name of what is counted.
        total: How many there are.
        done: How many of them were done before.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        line = progress.add_task(what, total=total, completed=done, note="")

        def advance(note: str = "") -> None:
            progress.update(line, advance=1, note=note)

        yield advance
