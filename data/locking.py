"""One writer at a time."""

import os
import weakref
from pathlib import Path
from typing import Self

from robomtl.data.exceptions import DatasetInUseError


class FolderLock:
    """Holds a folder for one writer until it is released, garbage, or its process has ended.

    The system keeps the lock, not a file, so nothing is left behind by a kill.
    """

    def __init__(self, folder: Path) -> None:
        """Takes the lock.

        Raises:
            DatasetInUseError: Somebody has it already.
        """
        import fcntl  # not on Windows, where what only reads still works

        descriptor = os.open(folder, os.O_RDONLY)
        self._release = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise DatasetInUseError(
                f"{folder} is being written to already; wait for the other process, or end it: "
                "what it has finished is kept"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def release(self) -> None:
        """Lets others have the folder."""
        self._release()
