"""The episodes of an evaluation, one JSON line each, kept while they come in."""

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from robomtl.episode import Episode
from robomtl.exceptions import RunFolderError


class EpisodeLog:
    """A file of episodes that a kill at any moment leaves readable.

    Used in a `with` block. A last line that a killed writer left half-written is dropped.

    Args:
        path: The file; it and its folder are made where missing.

    Attributes:
        episodes: Those of the file, by what identifies them, in its order.

    Raises:
        RunFolderError: A complete line is not an episode.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+", encoding="utf-8")
        self._file.seek(0)
        text = self._file.read()
        complete = text[: text.rfind("\n") + 1]
        if complete != text:
            self._file.truncate(len(complete.encode()))
        lines = complete.splitlines()
        read = [_read(path, number, line) for number, line in enumerate(lines, start=1)]
        self.episodes = {episode.key: episode for episode in read}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, episode: Episode) -> None:
        """Adds an episode, in memory and on disk."""
        self._file.write(json.dumps(asdict(episode)) + "\n")
        self._file.flush()
        self.episodes[episode.key] = episode


def _read(path: Path, number: int, line: str) -> Episode:
    try:
        return Episode(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise RunFolderError(
            f"{path}, line {number} is not an episode ({error}): delete the file and evaluate again"
        ) from None
