"""A zarr array that grows by rows, quickly, and never loses a row that it had."""

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from robomtl.data.observation import Field

# Rows in a chunk, which is a file. Appending rewrites the last chunk, so chunks of images are
# small; but much smaller ones make many files, slow to read.
_IMAGE_ROWS = 8
_ROWS = 512

_GROWTH = 4096  # rows by which arrays grow: every time it costs as much as writing a chunk

# Images are worth compressing, a few numbers per row are not worth the time. On rendered images
# zstd saves a tenth more than lz4, but takes four times as long.
_IMAGE_CODEC = BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")


def create_column(group: zarr.Group, name: str, field: Field, fill: int = 0) -> None:
    """Makes an empty array of rows of the given type and shape."""
    image = len(field.shape) > 2 or field.dtype == np.float32
    rows = _IMAGE_ROWS if image else _ROWS
    group.create_array(
        name,
        shape=(_GROWTH, *field.shape),
        chunks=(rows, *field.shape),
        dtype=field.dtype,
        fill_value=fill,
        compressors=_IMAGE_CODEC if image else None,
    )


class Column:
    """Appends rows to an array, always writing whole chunks.

    A chunk replaces its file in one move, and the new one holds all rows that the old one held, so
    a kill at any moment leaves them readable. Where the rows that count end is for the caller to
    know; those behind are overwritten.
    """

    def __init__(self, array: zarr.Array[Any], tail: NDArray[Any]) -> None:
        """Continues an array.

        Args:
            array: One that `create_column` made.
            tail: The rows that count of the chunk in which they end.
        """
        # A chunk of zeros is written too: then one that is not there is known to be lost.
        self._array = array.with_config({"write_empty_chunks": True})
        self._rows = array.chunks[0]
        self._tail = tail

    def write(self, start: int, values: NDArray[Any]) -> None:
        """Writes rows from `start`, which is where the rows that count end.

        After an exception the column must not be used again.
        """
        end = start + len(values)
        if end > self._array.shape[0]:
            self.resize(end + _GROWTH - end % _GROWTH)
        first = start - start % self._rows  # of the first chunk that changes
        count = -(-(end - first) // self._rows) * self._rows
        array = self._array
        chunks = np.full((count, *array.shape[1:]), array.fill_value, array.dtype)
        chunks[: start - first] = self._tail[: start - first]
        chunks[start - first : end - first] = values
        array[first : first + count] = chunks
        self._tail = chunks[-self._rows :]

    def resize(self, length: int) -> None:
        """Makes the array `length` rows long."""
        self._array.resize((length, *self._array.shape[1:]))
