"""The pictures of a saved episode, decoded one by one when they are looked at."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.data.exceptions import CorruptDemoError, CorruptImageError, UnsupportedFormatError
from robomtl.data.frames import Frames
from robomtl.data.png import decode_png, png_mode, png_shape
from robomtl.data.rlbench.checksums import EpisodeFiles


class ImageFrames(Frames):
    """One folder of pictures, `<camera>_<kind>/<frame>.png`."""

    def __init__(
        self,
        files: EpisodeFiles,
        name: str,
        length: int,
        dtype: type[np.generic],
        decode: Callable[[NDArray[np.uint8], int], NDArray[Any]],
    ) -> None:
        """Looks at the folder's list of files and at the head of the first one.

        Args:
            files: The episode.
            name: Of the folder, `wrist_rgb` for one.
            length: Number of frames that the episode has.
            dtype: What `decode` returns.
            decode: Turns pixels (H, W, 3) and the number of the frame into what they stand for.

        Raises:
            CorruptDemoError: Pictures are missing, or there are others; the first is no picture.
            UnsupportedFormatError: Depth is grey, as RLBench saved it before April 2020.
        """
        self._files, self._name, self._decode = files, name, decode
        problems = list(misplaced(files, name, length))
        if problems:
            raise CorruptDemoError(problems[0])
        first = (files.folder / self._path(0)).read_bytes()
        try:
            if name.endswith("_depth") and png_mode(first) == "L":
                raise UnsupportedFormatError(
                    f"{files.folder / name} holds grey pictures: RLBench saved depth so until "
                    "April 2020, too coarse to learn from; make these demonstrations again with a "
                    "later one"
                )
            self._picture = png_shape(first)
        except CorruptImageError as error:
            raise CorruptImageError(f"{files.folder / self._path(0)}: {error}") from None
        self.dtype = np.dtype(dtype)
        channels = (3,) if name.endswith("_rgb") else ()
        self.shape = (length, *self._picture[:2], *channels)

    def __getitem__(self, frame: int) -> NDArray[Any]:
        """Reads and decodes the picture of a frame.

        Raises:
            CorruptImageError: It is damaged, or has not the size of the first one.
            CorruptDemoError: It is no longer there, or not the one that was written.
        """
        path = self._path(frame)
        pixels = read_picture(self._files, path)
        if pixels.shape != self._picture:
            (height, width, _), (first_height, first_width, _) = pixels.shape, self._picture
            raise CorruptImageError(
                f"{self._files.folder / path} has {width} x {height} pixels, but the first picture "
                f"there has {first_width} x {first_height}"
            )
        return self._decode(pixels, frame)

    def _path(self, frame: int) -> str:
        return f"{self._name}/{frame}.png"


def read_picture(files: EpisodeFiles, path: str) -> NDArray[np.uint8]:
    """The pixels in a file, (H, W, 3).

    Raises:
        CorruptImageError: It is damaged.
        CorruptDemoError: It is missing, or not the one that was written.
    """
    content = files.read(path)
    try:
        return decode_png(content)
    except CorruptImageError as error:
        raise CorruptImageError(f"{files.folder / path}: {error}") from None


def misplaced(files: EpisodeFiles, name: str, length: int) -> list[str]:
    """What is wrong with the list of files in a folder of pictures, a sentence for each."""
    folder = files.folder / name
    expected = {f"{frame}.png" for frame in range(length)}
    found = set(os.listdir(folder))
    missing = sorted(expected - found, key=lambda file: int(file[:-4]))
    return [
        *(f"{folder / file} is missing: the episode has {length} frames" for file in missing),
        *(
            f"{folder / file} belongs to no frame: the episode has {length}, each one picture here"
            for file in sorted(found - expected)
        ),
    ]
