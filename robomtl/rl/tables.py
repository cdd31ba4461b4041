"""Success rates for a terminal, with the protocol they were measured by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from robomtl.data.counted import counted
from robomtl.progress import console
from robomtl.rl.card import card_line


def show(table: Table, card: Mapping[str, Any]) -> None:
    """Print success rates, and below them by what protocol they were measured."""
    console.print(table)
    console.print(card_line(card), style="dim", markup=False)


def result_table(result: Mapping[str, Any]) -> Table:
    """Return the final success rate of each task, next to the highest evaluation of the run."""
    final, best = result["final"], result["max_over_time"]
    table = Table(
        "task",
        title=f"{result['method']}, seed {result['seed']}, {result['steps']:,} steps",
    )
    names = (
        f"final, {counted(final['episodes'], 'episode')}",
        "95 % interval",
        "at the run's maximum",
    )
    for name in names:
        table.add_column(name, justify="right")
    for task, rate in final["success"].items():
        low, high = final["confidence"][task]
        table.add_row(
            task, f"{rate:.2f}", f"{low:.2f} – {high:.2f}", f"{best['success'][task]:.2f}"
        )
    table.add_section()
    table.add_row(
        "mean",
        f"[bold]{final['mean']:.3f}[/bold]",
        "",
        f"{best['mean']:.3f} (at {best['step']:,} steps, {counted(best['episodes'], 'episode')})",
    )
    return table


def evaluation_table(summary: Mapping[str, Any]) -> Table:
    """Return success rates of an evaluation."""
    title = f"Success over {counted(summary['episodes'], 'episode')} per task"
    table = Table("task", title=title)
    table.add_column("success", justify="right")
    table.add_column("95 % interval", justify="right")
    for task, rate in summary["success"].items():
        low, high = summary["confidence"][task]
        table.add_row(task, f"{rate:.2f}", f"{low:.2f} – {high:.2f}")
    table.add_section()
    table.add_row("mean", f"[bold]{summary['mean']:.3f}[/bold]")
    return table
