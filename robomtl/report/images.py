"""Pictures as text: data URIs that stand inside an HTML page."""

import base64
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

GLOW = (255, 40, 150)
"""The colour of attention: pink, which no thing on the table has."""


def still(picture: np.ndarray) -> str:
    """A picture (H, W, 3) uint8 as a data URI."""
    return _webp([Image.fromarray(picture)])


def animation(pictures: Sequence[np.ndarray], seconds_per_picture: float) -> str:
    """Pictures (H, W, 3) uint8 as an endless animation; the last one stays for a second."""
    durations = [round(1000 * seconds_per_picture)] * len(pictures)
    durations[-1] = 1000
    return _webp([Image.fromarray(picture) for picture in pictures], duration=durations)


def overlay(picture: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """A greyed picture on which attention glows.

    Args:
        picture: (H, W, 3) uint8.
        attention: (h, w) from 0, nothing, to 1, full glow.

    Returns:
        The picture at twice its size, (2H, 2W, 3) uint8.
    """
    size = (2 * picture.shape[1], 2 * picture.shape[0])
    base = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), np.float32)
    grey = base.mean(-1, keepdims=True)
    weights = Image.fromarray(attention.astype(np.float32))
    # The square root shows weak attention too; a linear scale would hide all but the peak.
    strength = np.sqrt(np.asarray(weights.resize(size, Image.Resampling.BILINEAR)))[..., None]
    return ((1 - strength) * grey + strength * GLOW).clip(0, 255).astype(np.uint8)


def _webp(frames: list[Image.Image], duration: Sequence[int] = ()) -> str:
    file = BytesIO()
    more = {"save_all": True, "append_images": frames[1:], "duration": list(duration), "loop": 0}
    frames[0].save(file, "WEBP", quality=75, method=4, **(more if len(frames) > 1 else {}))
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
