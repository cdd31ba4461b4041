"""What a run writes down while it goes on: files of one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robomtl.data.atomic import write_atomically
from robomtl.exceptions import RunFolderError


class StepLines:
    """Adds lines to a file, each with the step that it was written at.

    Args:
        path: The file; it and its folder are made where missing.
        name: What lines call their step.
        step: Where the run starts or continues; later lines of an interrupted run go.

    Raises:
        RunFolderError: A complete line of the file is damaged, or does not name its step.
    """

    def __init__(self, path: Path, name: str, step: int) -> None:
        lines = read_lines(path)
        for number, line in enumerate(lines, 1):
            if not isinstance(line.get(name), int):
                raise RunFolderError(f"{path}, line {number} does not name its {name}: {line}")
        kept = [json.dumps(line) + "\n" for line in lines if line[name] <= step]
        content = "".join(kept).encode()
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content)
        self._file = path.open("a", encoding="utf-8")

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file; a killed run may have left half a line, or none.

    Raises:
        RunFolderError: A complete line is damaged.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    return [_read(path, i, line) for i, line in enumerate(lines, 1) if line.endswith(b"\n")]


def _read(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise RunFolderError(
            f"{path}, line {number} is damaged ({error}): remove that line, and what it says is "
            "missing from the run's curves"
        ) from None
    if not isinstance(found, dict):
        raise RunFolderError(f"{path}, line {number} is {found!r}, not what a run writes down")
    return found
