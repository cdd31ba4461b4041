"""What cameras see, as the 8-bit colour pictures that RLBench saves.

Depth d, from 0 at the near to 1 at the far plane of the camera, is `v = floor(d (2^24 - 1) + 1/2)`
in 24 bits, the highest in red. A mask has 24 bits too, the lowest in red.
"""

import numpy as np
from numpy.typing import NDArray

from robomtl.data.exceptions import InvalidDemoError

DEPTH_STEPS = 2**24 - 1
"""A depth file knows the way from near to far in this many steps of at most 0.3 µm."""

_HIGH_FIRST, _LOW_FIRST = (16, 8, 0), (0, 8, 16)


def encode_depth(depth: NDArray[np.float32], near: float, far: float) -> NDArray[np.uint8]:
    """Packs depth in [m], (H, W), into (H, W, 3); what is nearer or farther is put on the plane."""
    part = (depth.astype(np.float64) - near) / (far - near)
    steps = np.floor(np.clip(part, 0, 1) * DEPTH_STEPS + 0.5).astype(np.int32)
    return _split(steps, _HIGH_FIRST)


def decode_depth(pixels: NDArray[np.uint8], near: float, far: float) -> NDArray[np.float32]:
    """Unpacks `encode_depth`, to half a step: depth in [m], (H, W) float32."""
    part = _join(pixels, _HIGH_FIRST) / DEPTH_STEPS
    return (near + part * (far - near)).astype(np.float32)


def encode_mask(mask: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Packs numbers, (H, W), into (H, W, 3).

    Raises:
        InvalidDemoError: A number is negative or has more than 24 bits.
    """
    if mask.min() < 0 or mask.max() > DEPTH_STEPS:
        raise InvalidDemoError(
            f"a mask has numbers from {mask.min()} to {mask.max()}; RLBench's files hold those "
            f"from 0 to {DEPTH_STEPS}"
        )
    return _split(mask, _LOW_FIRST)


def decode_mask(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Unpacks `encode_mask`: (H, W) int32."""
    return _join(pixels, _LOW_FIRST)


def _split(numbers: NDArray[np.int32], shifts: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.stack([(numbers >> shift) & 255 for shift in shifts], axis=-1).astype(np.uint8)


def _join(pixels: NDArray[np.uint8], shifts: tuple[int, int, int]) -> NDArray[np.int32]:
    red, green, blue = (pixels[..., i].astype(np.int32) << shift for i, shift in enumerate(shifts))
    return red | green | blue
