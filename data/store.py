"""Demonstrations on disk, one file each, for many writers and readers at once."""

import re
from collections.abc import Iterator
from pathlib import Path

from robomtl.data.atomic import remove_abandoned, write_atomically
from robomtl.data.counted import counted
from robomtl.data.demo import Demo, DemoKey
from robomtl.data.demo_file import decode, encode
from robomtl.data.exceptions import (
    CorruptDemoError,
    DataError,
    MissingDemoError,
    UnsupportedFormatError,
)

_FILE = re.compile(r"demo_(\d{6,})\.npz")
_FOLDER = re.compile(r"variation(\d+)")


class DemoStore:
    """A folder of demonstrations: `<path>/<task>/variation<N>/demo_<seed>.npz`.

    A file appears when it is complete, so a store can be read while any number of processes write
    to it, and a killed writer costs no more than the demonstration it was writing. Opening a store
    touches nothing; the folder is made with the first demonstration.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens the folder.

        Raises:
            DataError: The path is a file.
        """
        self.path = Path(path)
        if self.path.is_file():
            raise DataError(f"{self.path} is a file; a store of demonstrations is a folder")

    def add(self, demo: Demo) -> None:
        """Writes a demonstration, in place of one with the same key.

        Raises:
            DiskFullError: No space is left; nothing partial stays behind.
        """
        path = self._file(demo.key)
        remove_abandoned(path.parent)
        write_atomically(path, encode(demo))

    def load(self, task: str, variation: int, seed: int) -> Demo:
        """Reads a demonstration; `store.load(*key)` takes a `DemoKey`.

        Raises:
            MissingDemoError: The store does not hold it.
            CorruptDemoError: Its file is damaged; the message names the file.
            UnsupportedFormatError: Its file was written by a version with another format.
        """
        key = DemoKey(task, variation, seed)
        path = self._file(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise MissingDemoError(f"{self.path} holds no {key}; {self._summary()}") from None
        try:
            demo = decode(content)
        except UnsupportedFormatError as error:
            raise UnsupportedFormatError(f"{path} cannot be read: {error}") from None
        except MemoryError:  # says nothing about the file
            raise
        except Exception as error:  # whatever parsing damaged bytes stumbles over
            raise CorruptDemoError(
                f"{path} is damaged ({type(error).__name__}: {error}); delete it and collect this "
                "demonstration again"
            ) from error
        if demo.key != key:
            raise CorruptDemoError(
                f"{path} holds another demonstration than its name says: {demo.key}; move or "
                "delete it"
            )
        return demo

    def keys(self, task: str | None = None) -> list[DemoKey]:
        """What the store holds, sorted; of one task only if it is named."""
        folders = self.path.glob("*/variation*" if task is None else f"{task}/variation*")
        return sorted(
            DemoKey(folder.parent.name, int(variation[1]), int(file[1]))
            for folder in folders
            if (variation := _FOLDER.fullmatch(folder.name))
            for path in folder.iterdir()
            if (file := _FILE.fullmatch(path.name))
        )

    def strays(self) -> list[str]:
        """What lies among the demonstrations and is none, a sentence for each file."""
        return [
            f"{path} is no demonstration: its name is not demo_<seed>.npz, seed of 6 digits or more"
            for folder in sorted(self.path.glob("*/variation*"))
            if _FOLDER.fullmatch(folder.name)
            for path in sorted(folder.iterdir())
            if not _FILE.fullmatch(path.name) and not path.name.startswith(".")
        ]

    def __contains__(self, key: DemoKey) -> bool:
        return self._file(key).is_file()

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[Demo]:
        """Loads one demonstration after the other, in the order of their keys."""
        return (self.load(*key) for key in self.keys())

    def __repr__(self) -> str:
        return f"DemoStore({str(self.path)!r}: {self._summary()})"

    def _file(self, key: DemoKey) -> Path:
        task, variation, seed = key
        return self.path / task / f"variation{variation}" / f"demo_{seed:06d}.npz"

    def _summary(self) -> str:
        keys = self.keys()
        tasks = ", ".join(sorted({key.task for key in keys})) or "none"
        return f"{counted(len(keys), 'demonstration')} of the tasks: {tasks}"
