"""What Meta-World's rewards are made of, with the same bits in less time.

NumPy and Meta-World take anything. Here, numbers and vectors have a shorter way; whatever else
comes goes the longer one.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
from metaworld.utils import reward_utils

_DOUBLE = np.dtype(np.float64)
_FAR = 1e100  # margins: a distance whose square is a number

# How much is left at so many margins from the bounds: 0.1 at the first, as all tasks have it.
_VALUE_AT_MARGIN = 0.1
_LONG_TAIL = float(np.sqrt(1 / _VALUE_AT_MARGIN - 1))
_GAUSSIAN = float(np.sqrt(-2 * np.log(_VALUE_AT_MARGIN)))
_SIGMOIDS = {
    "long_tail": lambda distance: 1 / ((distance * _LONG_TAIL) ** 2 + 1),
    "gaussian": lambda distance: float(np.exp(-0.5 * (distance * _GAUSSIAN) ** 2)),
}


def norm(x: Any, ord: Any = None) -> Any:
    """Return `numpy.linalg.norm` of a vector, a number or whatever else."""
    if type(x) is np.ndarray and x.dtype == _DOUBLE and x.ndim == 1 and ord in (None, 2):
        x = x.ravel()  # as NumPy does; strides might change the order of the sum
        return np.float64(math.sqrt(x.dot(x)))
    if type(x) is np.float64 and ord is None:
        return np.float64(math.sqrt(float(x) * float(x)))
    return np.linalg.norm(x, ord)


def tolerance(
    x: Any,
    bounds: tuple[float, float] = (0.0, 0.0),
    margin: float = 0.0,
    sigmoid: reward_utils.SIGMOID_TYPE = "gaussian",
    value_at_margin: float = _VALUE_AT_MARGIN,
) -> Any:
    """Return Meta-World's `tolerance` of a number: 1 within the bounds, less beyond."""
    lower, upper = bounds
    usual = sigmoid in _SIGMOIDS and value_at_margin == _VALUE_AT_MARGIN and margin > 0
    if usual and isinstance(x, float) and lower <= upper:
        x, margin = float(x), float(margin)
        if lower <= x <= upper:
            return 1.0
        distance = (lower - x if x < lower else x - upper) / margin
        if distance < _FAR:
            return _SIGMOIDS[sigmoid](distance)
    return reward_utils.tolerance(x, bounds, margin, sigmoid, value_at_margin)


def _with(module: ModuleType, **names: Any) -> ModuleType:
    """Return a module that differs from another in some names."""
    changed = ModuleType(module.__name__, module.__doc__)
    vars(changed).update(vars(module), **names)
    return changed


#: NumPy with our `norm`.
quick_numpy = _with(np, linalg=_with(np.linalg, norm=norm))

#: Meta-World's `reward_utils` with our `tolerance`.
quick_reward_utils = _with(reward_utils, tolerance=tolerance)
