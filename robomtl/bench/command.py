"""The command `robomtl bench methods`: what a training step costs with each method."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
from rich.markup import escape
from rich.table import Table

from robomtl import methods
from robomtl.allocator import keep_freed_memory
from robomtl.bench.cloning import cloning
from robomtl.bench.memory import peak_bytes
from robomtl.bench.mt10 import mt10
from robomtl.bench.problem import Problem
from robomtl.bench.scenes import scenes
from robomtl.bench.timing import durations, ratio
from robomtl.bench.training import Training, cases
from robomtl.exceptions import ExperimentError
from robomtl.outputs import check_file
from robomtl.progress import console, progress_bar
from robomtl.threads import torch_threads
from robomtl.written import write_json

PROBLEMS: dict[str, Callable[[], Problem]] = {"cloning": cloning, "mt10": mt10, "scenes": scenes}
REFERENCE = "equal"
_MEMORY_STEPS = 3  # the first makes what is kept, the second uses it, the third is like all others


@dataclass(frozen=True, kw_only=True)
class BenchMethodsConfig:
    """What to measure."""

    problem: Literal["cloning", "mt10", "scenes", "all"] = "all"
    """The problem to train on: ten robot tasks, MT10's critic, dense prediction, or each."""
    methods: tuple[str, ...] = ()
    """Methods to measure, also as "weighting+aggregator"; every single one when none is named."""
    repeats: int = 20
    """Steps to time of each method."""
    threads: int = 2
    """Threads that torch computes with."""
    out: Path = Path("runs/bench/methods.json")
    """File to write the numbers to."""


def bench_methods(config: BenchMethodsConfig) -> dict[str, Any]:
    """Measure, print a table for each problem, write everything to a file and return it.

    A step is `method.backward` and `optimiser.step` on batches made before. Its cost is compared
    with that of equal weighting in the same run.

    Raises:
        ExperimentError: A number that makes no sense, or a folder in place of the file.
        MethodError: There is no such method; the message lists those there are.
    """
    if config.repeats < 1 or config.threads < 1:
        raise ExperimentError(
            f"repeats and threads must be 1 or more, not {config.repeats} and {config.threads}"
        )
    check_file(config.out)
    keep_freed_memory()  # as trainings do
    names = [REFERENCE, *(config.methods or methods.names())]
    chosen = list(PROBLEMS) if config.problem == "all" else [config.problem]
    results: dict[str, Any] = {}
    with torch_threads(config.threads):
        for name in chosen:
            problem = PROBLEMS[name]()
            results[name] = _measured(problem, list(dict.fromkeys(names)), config.repeats)
            _show(problem, results[name])
    report = {
        "repeats": config.repeats,
        "threads": config.threads,
        "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(),
        "problems": results,
    }
    write_json(config.out, report)
    return report


def _measured(problem: Problem, names: list[str], repeats: int) -> dict[str, Any]:
    """Return, by method, time and memory of a step, or why there is none."""
    suitable, refused = cases(problem, names)
    peaks: dict[str, int] = {}
    with progress_bar(f"{problem.name}: memory", len(suitable)) as advance:
        for label, (name, setting) in suitable.items():
            peaks[label] = peak_bytes(partial(_steps, Training(problem, name, setting)))
            advance(label)
    trainings = {label: Training(problem, *case) for label, case in suitable.items()}
    warm_up = 10  # until then, steps ask the system for memory that later ones find
    with progress_bar(f"{problem.name}: time", warm_up + repeats) as advance:
        taken = durations(
            {label: training.step for label, training in trainings.items()},
            repeats=repeats,
            warm_up=warm_up,
            advance=advance,
        )
    usual = taken[REFERENCE]
    rows: dict[str, Any] = {
        label: {
            "median_ms": 1e3 * median(times),
            "fastest_ms": 1e3 * min(times),
            "ratio": ratio(times, usual),
            "fastest_ratio": min(times) / min(usual),
            "peak_bytes": peaks[label],
        }
        for label, times in taken.items()
    }
    return rows | {name: {"not_applicable": reason} for name, reason in refused.items()}


def _steps(training: Training) -> None:
    for _ in range(_MEMORY_STEPS):
        training.step()


def _show(problem: Problem, rows: dict[str, Any]) -> None:
    table = Table(title=f"{problem.name}: {problem.summary}", title_justify="left")
    table.add_column("method", overflow="fold")
    for title in ("median ms", "fastest ms", "x equal", "peak MB"):
        table.add_column(title, justify="right", no_wrap=True)
    measured = {label: row for label, row in rows.items() if "not_applicable" not in row}
    for label, row in measured.items():
        table.add_row(
            escape(label),
            f"{row['median_ms']:.2f}",
            f"{row['fastest_ms']:.2f}",
            f"{row['ratio']:.2f}",
            f"{row['peak_bytes'] / 1e6:.1f}",
        )
    console.print(table)
    for label, row in rows.items():
        if label not in measured:
            console.print(f"{escape(label)} does not apply: {escape(row['not_applicable'])}")
