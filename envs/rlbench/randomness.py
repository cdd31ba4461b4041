"""A stream of random numbers for code that draws from the global generators."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any

import numpy as np


class Randomness:
    """The state of NumPy's and Python's global generators inside `with` blocks.

    RLBench draws from them (most tasks from NumPy's, setup_chess from Python's). Each block
    continues where the last one ended, and outside nobody notices.
    """

    def __init__(self) -> None:
        self._outside: tuple[Any, Any] | None = None
        self.seed()

    def seed(self, *numbers: int) -> None:
        """Start the stream that these numbers pick; without any, one that no one has seen."""
        first, *words = np.random.SeedSequence(numbers or None).generate_state(5).tolist()
        # Both are the kinds of generator whose states the global ones take.
        self._inside = (
            np.random.RandomState(words).get_state(),
            random.Random(first).getstate(),
        )

    def __enter__(self) -> None:
        self._outside = _states()
        _set(self._inside)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._outside is not None
        self._inside = _states()
        _set(self._outside)


def _states() -> tuple[Any, Any]:
    return np.random.get_state(), random.getstate()  # noqa: NPY002


def _set(states: tuple[Any, Any]) -> None:
    np.random.set_state(states[0])  # noqa: NPY002
    random.setstate(states[1])
