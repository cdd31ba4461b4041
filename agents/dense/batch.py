"""Images with the maps to predict from them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class DenseBatch:
    """B images of H x W pixels and what is in them.

    Attributes:
        image: Colours in [-1, 1], (B, 3, H, W) float32.
        segmentation: Class of each pixel, (B, H, W) int64; -1 is ignored.
        depth: Along the optical axis in [m], (B, 1, H, W) float32; 0 where it is unknown.
        normals: Unit surface normals in the camera's frame, (B, 3, H, W) float32; all zero where
            they are unknown.
        noise: A random map in [0, 1) that belongs to each image, (B, 1, H, W) float32.
    """

    image: Tensor
    segmentation: Tensor
    depth: Tensor
    normals: Tensor
    noise: Tensor

    def to(self, device: torch.device | str) -> DenseBatch:
        """Return the same batch on `device`."""
        return DenseBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})
