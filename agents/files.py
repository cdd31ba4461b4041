"""Tensors on disk: written whole or not at all, checked when read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from robomtl.data.atomic import remove_abandoned, replacing


class DamagedFileError(ValueError):
    """A file cannot be read as tensors."""


def save_atomically(content: Mapping[str, Any], path: Path) -> None:
    """Write `content` to `path`; a kill or a full disk leaves what was there before.

    Raises:
        DiskFullError: No space is left.
    """
    if path.parent.exists():
        remove_abandoned(path.parent)
    with replacing(path) as file:
        torch.save(dict(content), file)


def load_safely(path: Path, device: str | torch.device) -> dict[str, Any]:
    """Read what `save_atomically` wrote, without running any code that the file may hold.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFileError: The file is cut short, damaged, or holds anything but plain tensors.
        OSError: It cannot be read for another reason.
    """
    file = io.BytesIO(path.read_bytes())
    try:
        _check_sums(file)
        content = torch.load(file, map_location=device, weights_only=True)
    except (OSError, MemoryError):  # says nothing about the file
        raise
    except Exception as error:  # whatever reading damaged bytes stumbles over
        reason = str(error).rstrip(".")
        raise DamagedFileError(f"{path} cannot be read: {reason}.") from error
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path} holds a {type(content).__name__}, not named tensors.")
    return content


def _check_sums(file: io.BytesIO) -> None:
    """Check what torch leaves unchecked: the checksum of every part of the archive."""
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"its part {damaged} is damaged")
    file.seek(0)
