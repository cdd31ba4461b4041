"""Results as files of JSON, which knows no NaN and no infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robomtl.data.atomic import write_atomically


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a result whole or not at all; numbers that are not finite become null."""
    text = json.dumps(_finite(content), indent=2, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
