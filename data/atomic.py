"""Files and folders that are either written completely or not at all."""

import errno
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from robomtl.data.exceptions import DiskFullError

_HOST = re.sub(r"\W", "-", socket.gethostname())
_TEMPORARY = re.compile(r"\..+\.(?P<host>[\w-]+)\.(?P<process>\d+)\.[0-9a-f]+\.tmp")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_HOUR = 3600.0  # no writer takes as long as this for one file


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file that readers, and a kill at any moment, find complete or not there.

    Folders are made as needed. Several processes may write at once, to the same path too: each
    goes through a temporary file of its own, and the last one wins.

    Raises:
        DiskFullError: No space is left. Nothing partial stays behind.
        OSError: The file cannot be written for another reason.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """As `write_atomically`, for content that is written in parts: it counts from the end."""
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the name without the content
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        raise_if_full(error, path)
        raise


def temporary_path(path: Path) -> Path:
    """A name beside `path` that nobody else uses, and `remove_abandoned` recognises."""
    # Random, since a container that is started again may have the same host and process numbers.
    return path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def raise_if_full(error: BaseException, path: Path) -> None:
    """Raises DiskFullError if `error` says that there was no space left to write `path`."""
    if isinstance(error, OSError) and error.errno in _FULL:
        raise DiskFullError(
            error.errno,
            f"no space left to write {path}; what was finished before is kept: free some space and "
            "run the same command again",
        ) from error


def remove_abandoned(folder: Path) -> None:
    """Removes the temporary files and folders of writers that were killed, and nobody else's."""
    for path in folder.glob(".*.tmp"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and _is_abandoned(path, match["host"], int(match["process"])):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_abandoned(path: Path, host: str, process: int) -> bool:
    if host == _HOST and not _is_running(process):
        return True
    try:
        return time.time() - path.stat().st_mtime > _HOUR
    except FileNotFoundError:  # finished or removed meanwhile
        return False


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is someone else's
        return True
    return True
