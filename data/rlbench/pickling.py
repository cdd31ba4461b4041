"""Writing RLBench's pickles where RLBench is not installed."""

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from robomtl.data.rlbench.stand_ins import SavedDemo, SavedObservation

_PROTOCOL = 3  # which every version of Python 3 reads, and RLBench's own files have

# Names that RLBench, numpy 1 and numpy 2 know; numpy 2's own name for the last is unknown to 1.
_GLOBALS: dict[object, tuple[str, str]] = {
    SavedDemo: ("rlbench.demo", "Demo"),
    SavedObservation: ("rlbench.backend.observation", "Observation"),
    np.ndarray: ("numpy", "ndarray"),
    np.dtype: ("numpy", "dtype"),
    np.empty(0).__reduce__()[0]: ("numpy.core.multiarray", "_reconstruct"),
}


def pickled(value: Any) -> bytes:
    """The pickle of stand-ins, arrays of numbers, texts, lists and dicts, for RLBench to read."""
    file = io.BytesIO()
    _Writer(file, _PROTOCOL).dump(value)
    return file.getvalue()


# That written in Python, because the one in C insists on importing what it names.
class _Writer(pickle._Pickler):
    write: Callable[[bytes], None]
    memoize: Callable[[object], None]

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module, name = _GLOBALS[obj]
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)
