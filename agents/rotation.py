"""Rotations as the policy predicts and is judged on them. Quaternions are xyzw."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def quaternion_multiply(a: Tensor, b: Tensor) -> Tensor:
    """Return the Hamilton product of two quaternions (..., 4): first `b`, then `a`."""
    av, aw = a[..., :3], a[..., 3:]
    bv, bw = b[..., :3], b[..., 3:]
    vector = aw * bv + bw * av + torch.linalg.cross(*torch.broadcast_tensors(av, bv))
    return torch.cat((vector, aw * bw - (av * bv).sum(-1, keepdim=True)), dim=-1)


def rotation_z(angle: Tensor) -> Tensor:
    """Return the quaternions (..., 4) of turns by `angle` (...) in [rad] about z."""
    zero = torch.zeros_like(angle)
    return torch.stack((zero, zero, torch.sin(angle / 2), torch.cos(angle / 2)), dim=-1)


def angle_between(a: Tensor, b: Tensor) -> Tensor:
    """Return the angle (...) in [rad] between two unit quaternions (..., 4) of any sign."""
    # atan2 keeps its precision for nearly equal rotations, where acos has lost it.
    half = 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))
    return 2 * torch.minimum(half, math.pi - half)


def symmetric_equivalents(quaternion: Tensor, symmetry: Tensor) -> Tensor:
    """Return every orientation that is as good as the label, (B, n, 4).

    The gripper's approach axis is its own z, so the k-th equivalent is
    `quaternion * rotation_z(2 pi k / symmetry)`. All samples get n = max(symmetry) of them;
    those of lower order repeat theirs.

    Args:
        quaternion: Labels, (B, 4).
        symmetry: Order of each label's symmetry, (B,) int64, at least 1.
    """
    turns = torch.arange(int(symmetry.max()), device=quaternion.device) % symmetry[:, None]
    angles = 2 * math.pi * turns / symmetry[:, None]
    return quaternion_multiply(quaternion[:, None], rotation_z(angles.to(quaternion.dtype)))


def quaternion_from_axes(axes: Tensor) -> Tensor:
    """Return the unit quaternions (..., 4) of six numbers (..., 6), continuous in them.

    The six numbers are two vectors; Gram-Schmidt makes them the gripper's z and y axes. Four
    numbers cannot cover a full turn without a jump (Zhou et al. 2019), six can.
    """
    z = F.normalize(axes[..., :3], dim=-1)
    y = axes[..., 3:]
    y = F.normalize(y - (y * z).sum(-1, keepdim=True) * z, dim=-1)
    x = torch.linalg.cross(y, z)
    return matrix_to_quaternion(torch.stack((x, y, z), dim=-1))


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Return the unit quaternions (..., 4), w >= 0, of rotation matrices (..., 3, 3).

    Each row of the symmetric matrix 4 q q^T is the quaternion times one of its components; the
    row of the largest component is the well-conditioned one.
    """
    m = matrix
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    xy, xz, yz = (
        m[..., 0, 1] + m[..., 1, 0],
        m[..., 0, 2] + m[..., 2, 0],
        m[..., 1, 2] + m[..., 2, 1],
    )
    xw, yw, zw = (
        m[..., 2, 1] - m[..., 1, 2],
        m[..., 0, 2] - m[..., 2, 0],
        m[..., 1, 0] - m[..., 0, 1],
    )
    rows = torch.stack(
        (
            torch.stack((1 + xx - yy - zz, xy, xz, xw), dim=-1),
            torch.stack((xy, 1 - xx + yy - zz, yz, yw), dim=-1),
            torch.stack((xz, yz, 1 - xx - yy + zz, zw), dim=-1),
            torch.stack((xw, yw, zw, 1 + xx + yy + zz), dim=-1),
        ),
        dim=-2,
    )
    largest = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = torch.take_along_dim(rows, largest[..., None, None], dim=-2).squeeze(-2)
    quaternion = F.normalize(row, dim=-1)
    return torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)
