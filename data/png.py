"""PNG files of 8-bit colour pictures, as RLBench saves everything that a camera sees."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from robomtl.data.exceptions import CorruptImageError

_LARGEST = 2**14  # pixels along a side; cameras have fewer

# Pictures of scenes hardly get smaller by more effort.
_LEVEL = 1


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """The file of a picture, (H, W, 3) uint8."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=_LEVEL)
    return file.getvalue()


def png_mode(content: bytes) -> str:
    """What the pixels in a file are, as Pillow has it: "RGB", or "L" for grey ones.

    Raises:
        CorruptImageError: It is no PNG, or its head is damaged.
    """
    with _opened(content) as image:
        return image.mode


def png_shape(content: bytes) -> tuple[int, int, int]:
    """The shape (H, W, 3) of the picture in a file, by its head.

    Raises:
        CorruptImageError: It is no PNG, its head is damaged, or it is of another kind.
    """
    with _opened(content) as image:
        return _shape(image)


def decode_png(content: bytes) -> NDArray[np.uint8]:
    """The picture in a file, (H, W, 3) uint8.

    Raises:
        CorruptImageError: It is no PNG, damaged, cut short, or of another kind.
    """
    with _opened(content) as image:
        _shape(image)
        image.verify()  # compares the checksums of all its parts, and uses the image up
    with _opened(content) as image:
        return np.array(image)


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():  # of sizes that are refused anyway
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
                yield image
    except CorruptImageError:
        raise
    except Image.UnidentifiedImageError:
        raise CorruptImageError("it is not a PNG file, or its head is damaged") from None
    except Exception as error:  # Pillow raises errors of many kinds for damaged bytes
        raise CorruptImageError(f"its pixels cannot be read: {error}") from error


def _shape(image: Image.Image) -> tuple[int, int, int]:
    width, height = image.size
    if image.mode != "RGB":
        raise CorruptImageError(f"its pixels are {image.mode!r}; expected 8-bit 'RGB'")
    if max(width, height) > _LARGEST:
        raise CorruptImageError(
            f"it has {width} x {height} pixels; expected 1 to {_LARGEST} along each side"
        )
    return height, width, 3
