"""What a check found."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "fault"]
"""A fault keeps collecting, training or evaluating on the tabletop from working. A warning does
not: something optional is missing, or something is scarce."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one check."""

    name: str
    """Of what was looked at."""
    status: Status
    """How bad it is."""
    detail: str
    """What was found."""
    remedy: str | None = None
    """The one command that mends it; None where nothing is to be mended."""
