"""Noise of exploring actions that lasts from one action to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STRETCH = 256  # actions


class PinkNoise:
    """Standard normal numbers for the actions of T tasks, whose power falls as 1 / frequency.

    By itself, each is what the policy would draw, so its actions keep their distribution. But
    neighbours are alike, so that over a few actions the noise moves a hand further than white
    noise, which shakes it. Eberhard et al., Pink Noise Is All You Need (2023), recommend it
    wherever one kind is to do for all tasks.

    A stretch of numbers is the Fourier transform of independent ones (Timmer and König, On
    Generating Power Law Noise, 1995). Eberhard et al. begin one with each episode; ours are 256
    actions long whatever episodes are, so that a number depends on the seed and the step alone, and
    the seed is all that a run has to remember.

    Args:
        tasks: Number of tasks T.
        actions: Numbers A that an action consists of.
        seed: What they are drawn by, not negative.

    Attributes:
        seed: The same.
    """

    def __init__(self, tasks: int, actions: int, seed: int) -> None:
        self.seed = seed
        self._shape = tasks, actions
        self._drawn: tuple[int, int] | None = None
        self._stretch: NDArray[np.float32]

    def at(self, step: int) -> NDArray[np.float32]:
        """Return the noise (T, A) of every task's action number `step`, from 0."""
        number, place = divmod(step, _STRETCH)
        if self._drawn != (self.seed, number):
            self._stretch = _pink(np.random.default_rng([self.seed, number]), self._shape)
            self._drawn = self.seed, number
        return self._stretch[place]


def _pink(generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return a stretch of noise, (256, *shape)."""
    frequencies = np.fft.rfftfreq(_STRETCH)
    frequencies[0] = frequencies[1]  # the mean of a stretch, as its slowest wave
    amplitudes = frequencies[:, None, None] ** -0.5
    real, imaginary = amplitudes * generator.standard_normal((2, len(frequencies), *shape))
    # A constant and the fastest wave have no phase; they have all their power in one number.
    for end in (0, -1):
        real[end] *= 2**0.5
        imaginary[end] = 0
    # Every wave but these two is there twice, as a frequency and as its negative.
    power = 4 * (amplitudes**2).sum() - 2 * (amplitudes[0] ** 2 + amplitudes[-1] ** 2).sum()
    waves = np.fft.irfft(real + 1j * imaginary, _STRETCH, axis=0)
    return (waves * _STRETCH / power**0.5).astype(np.float32)
