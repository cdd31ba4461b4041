"""Crops of every camera around a point in space, without needing the camera's matrices."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def crop_around(
    images: Tensor, cloud: Tensor, centre: Tensor, *, size: int, radius: float
) -> Tensor:
    """Cut a square out of each camera's image around the pixel that shows `centre`.

    That pixel is the one whose world point lies nearest. A square that would leave the image
    is moved inside.

    Args:
        images: Images whose first three channels are colours, (B * C, H, W, 6).
        cloud: World points in [m], (B, C, H, W, 3).
        centre: Point to look at in [m], (B, 3).
        size: Side of the square in pixels, at most H and W.
        radius: Distance from `centre` in [m] at which relative coordinates saturate.

    Returns:
        (B * C, 6, size, size): colours, and world points relative to `centre` in units of
        `radius`, clamped to [-1, 1].
    """
    batch, cameras, height, width, _ = cloud.shape
    coarse = cloud[:, :, ::2, ::2]
    distance = (coarse - centre[:, None, None, None]).square().sum(-1)
    nearest = distance.flatten(2).argmin(-1).flatten()
    row, column = 2 * (nearest // coarse.shape[3]), 2 * (nearest % coarse.shape[3])
    steps = torch.arange(size, device=cloud.device)
    rows = (row - size // 2).clamp(0, height - size)[:, None] + steps
    columns = (column - size // 2).clamp(0, width - size)[:, None] + steps
    which = torch.arange(batch * cameras, device=cloud.device)[:, None, None]
    index = (which, rows[:, :, None], columns[:, None, :])
    colours = images[index][..., :3]
    points = cloud.flatten(0, 1)[index]
    origin = centre.repeat_interleave(cameras, dim=0)[:, None, None]
    relative = ((points - origin) / radius).clamp(-1, 1)
    return torch.cat((colours, relative), dim=-1).permute(0, 3, 1, 2)
