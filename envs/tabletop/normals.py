"""Surface normals from a depth image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]

# How much straighter a surface must be beside a pixel than around it to be taken from there: where
# it is curved, it is about as straight; at an edge, far more so.
_ASIDE = 4.0


def normals_from_depth(
    depth: NDArray[np.floating], thing: NDArray[np.integer], focal: float
) -> NDArray[np.float32]:
    """Unit normals of the surfaces that a depth image shows, towards the camera.

    On a plane, 1 / depth is an affine function of the pixel, and its slope gives the plane: with
    w = 1 / depth, pixel offsets (u, v) from the principal point and focal length f, the normal is
    parallel to (f dw/du, f dw/dv, u dw/du + v dw/dv - w). So the result is exact on planes,
    however they are inclined, and needs no neighbour in front of or behind the surface: along each
    axis, the slope is taken over the three neighbouring pixels of one thing (this one being the
    first, the middle or the last) on which w is straightest, which is a face and not its edge. The
    three around the pixel are preferred, since they are right for curved surfaces too.

    Args:
        depth: (H, W) along the optical axis in metres.
        thing: (H, W) what each pixel shows; negative where that is nothing.
        focal: Focal length in pixels, of both axes. The principal point is the image's middle.

    Returns:
        (H, W, 3) in the camera frame x left, y up, z forward; all zero where a pixel shows
        nothing, or where fewer than three pixels in a row (or a column) show the same thing.
    """
    inverse = np.where(thing >= 0, 1 / np.maximum(depth, 1e-6), 0.0).astype(np.float64)
    across, known_across = _slope(inverse.T, thing.T)
    across, known_across = across.T, known_across.T
    down, known_down = _slope(inverse, thing)
    height, width = depth.shape
    u = np.arange(width) - (width - 1) / 2
    v = np.arange(height)[:, None] - (height - 1) / 2
    normals = np.stack([focal * across, focal * down, u * across + v * down - inverse], axis=-1)
    known = (known_across & known_down)[..., None]
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    unit = np.divide(normals, length, out=np.zeros_like(normals), where=known)
    return unit.astype(np.float32)


def _slope(values: Image, thing: NDArray[np.integer]) -> tuple[Image, NDArray[np.bool_]]:
    """Change of `values` from row to row, and where it is known."""
    rows = len(values)
    # Of the three rows i, i + 1, i + 2, for every i: how steep, and how far from straight.
    first, middle, last = values[:-2], values[1:-1], values[2:]
    steep = (last - first) / 2
    one = (thing[:-2] == thing[1:-1]) & (thing[1:-1] == thing[2:]) & (thing[:-2] >= 0)
    bent = np.where(one, np.abs(first - 2 * middle + last), np.inf)
    slope, least = np.zeros_like(values), np.full(values.shape, np.inf)
    for place, handicap in ((1, 1), (0, _ASIDE), (2, _ASIDE)):  # in the middle, first or last
        target = slice(place, rows - 2 + place)
        better = handicap * bent < least[target]
        slope[target][better] = steep[better]
        least[target][better] = handicap * bent[better]
    return slope, np.isfinite(least)
