"""What tasks there are."""

import inspect
from dataclasses import dataclass

from rich.table import Table

from robomtl.envs.tabletop.tasks import TASKS
from robomtl.progress import console


@dataclass(frozen=True)
class TasksConfig:
    """Nothing to configure."""


def show_tasks(config: TasksConfig) -> None:
    """Prints every task with its number of variations and what success means."""
    table = Table(show_lines=True)
    table.add_column("task", no_wrap=True)
    table.add_column("variations", justify="right")
    table.add_column("what to do, and when it is done")
    for name, task in TASKS.items():
        # Lines were broken for the source code; the terminal breaks them for its own width.
        paragraphs = (inspect.getdoc(task) or "").split("\n\n")
        text = "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        table.add_row(name, str(task.variations), text)
    console.print(table)
