"""A replay on disk, written a piece at a time.

What was remembered once never changes, so each checkpoint writes only what came since the one
before, into a file of its own. A checkpoint lists its files; those it has no use for are removed
once it is written, so that a kill at any moment leaves a list whose files are all there.
"""

from __future__ import annotations

import os
import uuid
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from robomtl.agents.sac.exceptions import CheckpointError
from robomtl.agents.sac.replay import TaskReplay

_PATTERN = "replay-*.f32"
_MOST_PIECES = 64


class Piece(NamedTuple):
    """A file with steps start <= i < stop of every task, one task after the other.

    Attributes:
        name: The file's name.
        start: First step.
        stop: One after the last.
        checksum: CRC-32 of the content.
    """

    name: str
    start: int
    stop: int
    checksum: int


def write_news(folder: Path, replay: TaskReplay, before: Sequence[Piece]) -> list[Piece]:
    """Write what is not in a file yet, and return the pieces that make up the replay.

    Args:
        folder: Where to.
        replay: What is remembered.
        before: Pieces of this replay that are in the folder already.
    """
    oldest = max(replay.total - replay.buffer_size, 0)
    kept = [piece for piece in before if piece.stop > oldest]
    if len(kept) >= _MOST_PIECES or not all((folder / piece.name).exists() for piece in kept):
        kept = []
    start = max(kept[-1].stop if kept else 0, oldest)
    if start == replay.total:
        return kept
    return [*kept, _write(folder, replay, start)]


def read(folder: Path, replay: TaskReplay, pieces: Sequence[Piece], total: int) -> None:
    """Fill a replay with what `total` steps left behind.

    Raises:
        CheckpointError: A file is missing or damaged, or the pieces do not make up a replay.
    """
    oldest = max(total - replay.buffer_size, 0)
    starts = [piece.start for piece in pieces] + [total]
    gaps = starts[1:] != [piece.stop for piece in pieces]
    if gaps or starts[0] > oldest:
        raise CheckpointError(f"The replay in {folder} lacks some steps of {oldest} to {total}.")
    for piece in pieces:
        path = folder / piece.name
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise CheckpointError(f"{path} is missing.") from error
        shape = (replay.n_envs, piece.stop - piece.start, replay.rows.shape[2])
        if zlib.crc32(content) != piece.checksum or len(content) != 4 * np.prod(shape):
            raise CheckpointError(f"{path} is damaged.")
        rows = np.frombuffer(content, dtype="<f4").reshape(shape)
        start = max(piece.start, oldest)
        for place, steps in _spans(start, piece.stop, replay.buffer_size):
            replay.rows[:, place] = rows[:, steps.start - piece.start : steps.stop - piece.start]
    replay.move_to(total)


def remove_others(folder: Path, pieces: Sequence[Piece]) -> None:
    """Remove the files that are not among `pieces`."""
    names = {piece.name for piece in pieces}
    for path in folder.glob(_PATTERN):
        if path.name not in names:
            path.unlink(missing_ok=True)
    for path in folder.glob(f".{_PATTERN}"):  # of a writer that was killed
        path.unlink(missing_ok=True)


def _write(folder: Path, replay: TaskReplay, start: int) -> Piece:
    """Write the steps from `start` on; the name is one that no checkpoint can list yet."""
    name = f"replay-{uuid.uuid4().hex}.f32"
    temporary = folder / f".{name}"
    checksum = 0
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("xb") as file:
            for task in range(replay.n_envs):
                for place, _ in _spans(start, replay.total, replay.buffer_size):
                    content = replay.rows[task, place].astype("<f4", copy=False).data.cast("B")
                    checksum = zlib.crc32(content, checksum)
                    file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Piece(name, start, replay.total, checksum)


def _spans(start: int, stop: int, capacity: int) -> Iterator[tuple[slice, slice]]:
    """Yield where in the ring steps start <= i < stop are, and which steps these are."""
    while start < stop:
        place = start % capacity
        count = min(stop - start, capacity - place)
        yield slice(place, place + count), slice(start, start + count)
        start += count
