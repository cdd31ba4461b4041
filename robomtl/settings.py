"""Settings that something was made with, and those that are asked for."""

import json
from collections.abc import Collection, Mapping
from typing import Any


def differences(
    theirs: Mapping[str, Any], ours: Mapping[str, Any], free: Collection[str] = ()
) -> str:
    """Return which settings differ and how, such as "seed was 0, is 1"; empty where none does.

    Args:
        theirs: Settings that something was made with, as JSON gives them back.
        ours: Settings that are asked for.
        free: Names of what may differ.
    """
    ours = json.loads(json.dumps(ours))
    different = [key for key in ours if key not in free and ours[key] != theirs.get(key)]
    return "; ".join(f"{key} was {theirs.get(key)}, is {ours[key]}" for key in different)
