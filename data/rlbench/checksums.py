"""SHA-256 of every file of an episode, so that damage cannot go unseen.

A picture has checksums of its own, but a number in a pickle does not, and a file may be another
one's. RLBench takes no notice of the list; `sha256sum --check` reads it too.
"""

import hashlib
import re
from pathlib import Path

from robomtl.data.exceptions import CorruptDemoError

FILE = "checksums.sha256"

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def checksum_line(path: str, content: bytes) -> str:
    """A line of the list: a file's content, and its path relative to the episode's folder."""
    return f"{hashlib.sha256(content).hexdigest()}  {path}\n"


class EpisodeFiles:
    """Reads the files of an episode; where it has a list of checksums, all must agree with it.

    Attributes:
        folder: The episode's folder.
        listed: SHA-256 by path; empty where there is no list, as in RLBench's own folders.
    """

    def __init__(self, folder: Path) -> None:
        """Reads the list.

        Raises:
            CorruptDemoError: It is damaged.
        """
        self.folder = folder
        self.listed: dict[str, str] = {}
        path = folder / FILE
        if not path.exists():
            return
        for line in path.read_bytes().decode(errors="replace").removesuffix("\n").split("\n"):
            match = _LINE.fullmatch(line)
            if match is None:
                raise CorruptDemoError(f"{path} is damaged: {line[:100]!r} is not a checksum")
            self.listed[match[2]] = match[1]

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            CorruptDemoError: It is missing, or is not what was written.
        """
        file = self.folder / path
        try:
            content = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise CorruptDemoError(f"{file} is missing") from None
        if self.listed and self.listed.get(path) != hashlib.sha256(content).hexdigest():
            raise CorruptDemoError(
                f"{file} is not the file that was written: its checksum differs from that in {FILE}"
            )
        return content

    def damaged(self) -> list[Path]:
        """Files on the list that are missing, or not what was written."""
        return [self.folder / path for path in self.listed if not self._is_whole(path)]

    def lost(self) -> list[Path]:
        """Files on the list that are not there."""
        return [self.folder / path for path in self.listed if not (self.folder / path).exists()]

    def _is_whole(self, path: str) -> bool:
        try:
            self.read(path)
        except CorruptDemoError:
            return False
        return True
