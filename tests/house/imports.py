"""What a Python file imports, read without running it."""

import ast
from collections.abc import Iterator
from pathlib import Path


def imported_names(file: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from robomtl import data` names a wing only together with what it takes.
            takes = [f"{module}.{alias.name}" for alias in node.names]
            names = takes if module == "robomtl" else [module]
            yield from ((node.lineno, name) for name in names)
