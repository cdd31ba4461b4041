"""Where the generators of a run stand, as numbers that are safe to read back."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import torch


def global_state() -> dict[str, Any]:
    """Return where torch's, NumPy's and Python's own generators stand."""
    found: Any = np.random.get_state()  # noqa: NPY002
    _, keys, position, has_gauss, gauss = found
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": (torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss),
        "python": json.dumps(random.getstate()),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_global(state: dict[str, Any]) -> None:
    """Put torch's, NumPy's and Python's own generators where they stood."""
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    version, internal, gauss = json.loads(state["python"])
    random.setstate((version, tuple(internal), gauss))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


def generator_state(generator: np.random.Generator) -> str:
    """Return where a generator stands."""
    return json.dumps(generator.bit_generator.state, default=lambda array: array.tolist())


def restore_generator(generator: np.random.Generator, state: str) -> None:
    """Put a generator where it stood."""
    generator.bit_generator.state = json.loads(state)
