"""Tensors on disk: written whole or not at all."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


class DamagedFileError(ValueError):
    """A file cannot be read as tensors."""


def save_atomically(content: Mapping[str, Any], path: Path) -> None:
    """Write `content` to `path`; a kill or a full disk leaves what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            torch.save(dict(content), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load_safely(path: Path, device: str | torch.device) -> dict[str, Any]:
    """Read what `save_atomically` wrote, without running any code that the file may hold.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFileError: The file is cut short, damaged, or holds anything but plain tensors.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise
    # A file that is cut short can send its reader to before the beginning: an OSError.
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, OSError) as error:
        raise DamagedFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path} holds a {type(content).__name__}, not named tensors.")
    return content
