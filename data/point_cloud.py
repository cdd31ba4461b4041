"""From depth images to points in the world."""

from types import ModuleType
from typing import Any, TypeVar

import numpy as np

Array = TypeVar("Array")  # numpy.ndarray or torch.Tensor


def point_cloud(depth: Array, intrinsics: Array, extrinsics: Array) -> Array:
    """The world point that every pixel sees.

    With u, v the integer indices of a pixel (column, row) and z its depth, the point is
    `R @ [(u - cx) / fx * z, (v - cy) / fy * z, z] + t`. Skew is taken to be zero. Cameras of this
    package have cx = (W - 1) / 2, so that integer indices are the centres of pixels, and negative
    fx, fy, because their frames are x left, y up, z forward.

    All three arguments are numpy arrays or all are torch tensors of one device; their leading
    dimensions broadcast. The matrices are worked with in their own precision, the cloud in single.

    Args:
        depth: Along the optical axis in [m], (..., H, W).
        intrinsics: (..., 3, 3), in pixels.
        extrinsics: Camera to world, (..., 4, 4), in [m].

    Returns:
        Points in the world frame in [m], (..., H, W, 3) float32, of the same kind as the arguments.
    """
    return _cloud(_module(depth), depth, intrinsics, extrinsics)


def _module(depth: Any) -> ModuleType:
    if isinstance(depth, np.ndarray):
        return np
    import torch  # here, because collecting demonstrations does without it

    if isinstance(depth, torch.Tensor):
        return torch
    raise TypeError(f"depth must be a numpy array or a torch tensor, not {type(depth).__name__}")


def _cloud(xp: Any, depth: Any, intrinsics: Any, extrinsics: Any) -> Any:
    height, width = depth.shape[-2:]
    where = {} if xp is np else {"device": depth.device}
    u, v = xp.arange(width, **where), xp.arange(height, **where)
    x = (u - intrinsics[..., 0, 2, None]) / intrinsics[..., 0, 0, None]  # (..., W)
    y = (v - intrinsics[..., 1, 2, None]) / intrinsics[..., 1, 1, None]  # (..., H)
    leading = np.broadcast_shapes(depth.shape[:-2], intrinsics.shape[:-2], extrinsics.shape[:-2])
    cloud = xp.empty((*leading, height, width, 3), dtype=xp.float32, **where)
    for axis in range(3):  # one at a time: a last dimension of three entries is slow to work along
        right, down, forward, origin = (extrinsics[..., axis, column, None] for column in range(4))
        # A pixel's ray is a part that depends on its column plus one that depends on its row.
        ray = _single(xp, x * right)[..., None, :] + _single(xp, y * down + forward)[..., :, None]
        point = ray * _single(xp, depth)
        point += _single(xp, origin)[..., None]
        cloud[..., axis] = point
    return cloud


def _single(xp: Any, array: Any) -> Any:
    return array.astype(xp.float32, copy=False) if xp is np else array.to(xp.float32)
