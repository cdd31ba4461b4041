"""Rotation matrices as quaternions, with SciPy's bits in a tenth of its time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

_ORTHOGONAL = 5e-13  # half of what SciPy allows before it looks for the nearest rotation


class QuickRotation:
    """Stands in for SciPy's `Rotation` where all that is wanted is one matrix's quaternion."""

    def __init__(self, quaternion: NDArray[np.float64]) -> None:
        self._quaternion = quaternion

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.float64]) -> QuickRotation:
        """Take a rotation matrix (3, 3); SciPy does with any other what it does."""
        rows = matrix.tolist()
        if not _is_rotation(rows):
            return cls(Rotation.from_matrix(matrix).as_quat())
        return cls(np.array(_quaternion(rows)))

    def as_quat(self) -> NDArray[np.float64]:
        """Return x, y, z, w."""
        return self._quaternion


def _is_rotation(rows: list[list[float]]) -> bool:
    """Whether rows are orthogonal and of unit length, and right-handed; not so if any is NaN."""
    (a, b, c), (d, e, f), (g, h, i) = rows
    off = (
        a * a + b * b + c * c - 1, d * d + e * e + f * f - 1, g * g + h * h + i * i - 1,
        a * d + b * e + c * f, a * g + b * h + c * i, d * g + e * h + f * i,
    )  # fmt: skip
    # Comparisons may pass over NaN, but the determinant, of all entries, is NaN if any is.
    handed = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return min(off) >= -_ORTHOGONAL and max(off) <= _ORTHOGONAL and handed > 0


def _quaternion(m: list[list[float]]) -> list[float]:
    """Return x, y, z, w from the largest of the four first, as Shepperd (1978) does."""
    trace = m[0][0] + m[1][1] + m[2][2]
    sizes = [m[0][0], m[1][1], m[2][2], trace]
    i = sizes.index(max(sizes))
    if i == 3:
        q = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1], 1 + trace]
    else:
        j, k = (i + 1) % 3, (i + 2) % 3
        q = [0.0, 0.0, 0.0, m[k][j] - m[j][k]]
        q[i] = 1 - trace + 2 * m[i][i]
        q[j] = m[j][i] + m[i][j]
        q[k] = m[k][i] + m[i][k]
    length = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    return [part / length for part in q]
