"""What the processor is, where that decides how to compute."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path


def made_by_amd() -> bool:
    """Return whether AMD made it."""
    return "AuthenticAMD" in _words()


def computes_in_bfloat16() -> bool:
    """Return whether it has units for bfloat16; where that is not told, it counts as having none.

    Without them, libraries emulate it: convolutions take twice as long as in float32.
    """
    return not _words().isdisjoint(("avx512_bf16", "amx_bf16", "bf16"))


@cache
def _words() -> frozenset[str]:
    """The words in which Linux describes the processor, or Python does elsewhere."""
    file = Path("/proc/cpuinfo")
    told = file.read_text() if file.exists() else platform.processor()
    return frozenset(re.split(r"[\s,]+", told))
