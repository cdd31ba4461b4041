import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from robomtl.data import CorruptImageError
from robomtl.data.png import decode_png, encode_png, png_shape

sizes = array_shapes(min_dims=2, max_dims=2, max_side=9)
pictures = sizes.flatmap(lambda size: arrays(np.uint8, (*size, 3)))


def saved(picture: np.ndarray, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def smooth(height: int, width: int) -> np.ndarray:
    """A picture whose rows are predicted in all of PNG's ways."""
    rng = np.random.default_rng(height)
    steps = rng.integers(-2, 3, (height, width, 3)).cumsum(0).cumsum(1)
    return (128 + steps + 20 * np.sin(np.arange(width) / 7)[:, None]).astype(np.uint8)


@settings(max_examples=50)
@given(pictures)
def test_a_picture_comes_back_to_the_bit(picture: np.ndarray) -> None:
    content = encode_png(picture)
    assert content == encode_png(picture)
    np.testing.assert_array_equal(decode_png(content), picture)
    assert png_shape(content) == picture.shape


@settings(max_examples=200)
@given(st.data())
def test_no_damage_goes_unseen(data: st.DataObject) -> None:
    picture = smooth(16, 16)
    content = encode_png(picture)
    place = data.draw(st.integers(0, len(content) - 1))
    damaged = bytearray(content)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    for wrong in (bytes(damaged), content[:place]):
        # What stands behind the last pixel may be lost: nothing of the picture is.
        try:
            found = decode_png(wrong)
        except CorruptImageError:
            continue
        np.testing.assert_array_equal(found, picture)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_pictures_of_other_kinds_are_refused(mode: str) -> None:
    with pytest.raises(CorruptImageError, match="expected 8-bit 'RGB'"):
        decode_png(saved(smooth(4, 4), mode))


@pytest.mark.parametrize("content", [b"", b"GIF89a" * 9])
def test_what_is_no_picture_says_so(content: bytes) -> None:
    with pytest.raises(CorruptImageError, match="not a PNG file"):
        decode_png(content)


def test_a_picture_of_an_absurd_size_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(CorruptImageError, match="expected 1 to 16384"):
        png_shape(saved(np.zeros((1, 16385, 3), np.uint8)))
