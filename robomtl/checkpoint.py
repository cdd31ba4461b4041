"""The training state on disk: written whole or not at all, checked when read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from robomtl.agents.files import DamagedFileError, load_safely, save_atomically

FORMAT = "robomtl.training/1"


class CheckpointError(ValueError):
    """A checkpoint is damaged, is something else, or belongs to another run."""


def save_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` to `path`; a kill at any moment leaves the old checkpoint or the new one."""
    save_atomically({"format": FORMAT, **content}, path)


def load_checkpoint(path: Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """Read what `save_checkpoint` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is damaged or not a training checkpoint.
    """
    try:
        content = load_safely(path, device)
    except DamagedFileError as error:
        raise CheckpointError(f"{error} Delete it to train from the start.") from error
    found = content.pop("format", None)
    if found != FORMAT:
        raise CheckpointError(f"{path} holds {found!r}, not a training checkpoint ({FORMAT!r}).")
    return content
