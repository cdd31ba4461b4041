"""What small matrices are kept in."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Numbers in double precision. On matrices of K tasks, NumPy is several times as fast as torch."""
