"""The training state on disk: written whole or not at all, checked when read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from robomtl.agents.files import DamagedFileError, load_safely, save_atomically
from robomtl.settings import differences

FORMAT = "robomtl.training/1"


class CheckpointError(ValueError):
    """A checkpoint is damaged, is something else, or belongs to another run."""


def save_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` to `path`; a kill at any moment leaves the old checkpoint or the new one."""
    save_atomically({"format": FORMAT, **content}, path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, to the CPU.

    Networks and optimisers move their state to where they are; methods keep theirs on the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is damaged or not a training checkpoint.
    """
    try:
        content = load_safely(path, "cpu")
    except DamagedFileError as error:
        raise CheckpointError(f"{error} Delete it to train from the start.") from error
    found = content.pop("format", None)
    if found != FORMAT:
        raise CheckpointError(f"{path} holds {found!r}, not a training checkpoint ({FORMAT!r}).")
    return content


def check_settings(
    out: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any], free: Collection[str]
) -> None:
    """Check that a run in a folder may be continued.

    Args:
        out: The folder.
        theirs: Settings that its checkpoint was made with, as JSON gives them back.
        ours: Settings to continue with.
        free: What may differ without changing the result.

    Raises:
        CheckpointError: Other settings differ; the message says which and how.
    """
    if what := differences(theirs, ours, free):
        raise CheckpointError(
            f"{out} holds a run with other settings: {what}. "
            "Continue it with its own settings, or train into another folder."
        )
