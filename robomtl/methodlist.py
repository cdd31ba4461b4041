"""What multi-task methods there are."""

from dataclasses import dataclass

from rich.table import Table

from robomtl import methods
from robomtl.methods.aggregators import AGGREGATORS
from robomtl.methods.weightings import WEIGHTINGS
from robomtl.progress import console


@dataclass(frozen=True)
class MethodsConfig:
    """Nothing to configure."""


def show_methods(config: MethodsConfig) -> None:
    """Prints every method with a line about it."""
    table = Table("method", "kind", "what it does")
    for name, line in methods.names().items():
        kind = "weighting" if name in WEIGHTINGS else "aggregator" if name in AGGREGATORS else ""
        table.add_row(name, kind, line)
    console.print(table)
    console.print("Any weighting goes with any aggregator: weighting+aggregator.")
