"""Forward passes that leave no trace in running statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from robomtl.methods.objective import Objective, RunningStatistics


@contextmanager
def kept_statistics(objective: Objective) -> Iterator[None]:
    """Put an objective's buffers back afterwards as they were, to the bit.

    Storage is exchanged, not written: graphs that saved the buffers, as batch norm's do, can
    still be differentiated.
    """
    buffers = list(objective.buffers()) if isinstance(objective, RunningStatistics) else []
    before = [buffer.data for buffer in buffers]
    try:
        for buffer, value in zip(buffers, before, strict=True):
            buffer.data = value.clone()
        yield
    finally:
        for buffer, value in zip(buffers, before, strict=True):
            buffer.data = value
