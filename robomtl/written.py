"""Settings and results as files of JSON, which knows no NaN and no infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robomtl.data.atomic import write_atomically
from robomtl.exceptions import RunFolderError


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a result whole or not at all; numbers that are not finite become null."""
    text = json.dumps(_finite(content), indent=2, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises:
        RunFolderError: The file is damaged.
    """
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise ValueError(f"it holds {found!r}")
    except ValueError as error:
        raise RunFolderError(
            f"{path} is damaged ({error}): put back what was there, or use another folder"
        ) from None
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
