"""Where the generators of a run stand, as numbers that are safe to read back."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import torch


def global_state(device: torch.device) -> dict[str, Any]:
    """Return where torch's, NumPy's and Python's own generators stand, and that of a device."""
    found: Any = np.random.get_state()  # noqa: NPY002
    _, keys, position, has_gauss, gauss = found
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": (torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss),
        "python": json.dumps(random.getstate()),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_global(state: dict[str, Any], device: torch.device) -> None:
    """Put torch's, NumPy's and Python's own generators where they stood, and that of a device.

    On a device of another kind than the state is of, the device's goes on as it is.
    """
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    version, internal, gauss = json.loads(state["python"])
    random.setstate((version, tuple(internal), gauss))
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


def generator_state(generator: np.random.Generator) -> str:
    """Return where a generator stands."""
    return json.dumps(generator.bit_generator.state, default=lambda array: array.tolist())


def restore_generator(generator: np.random.Generator, state: str) -> None:
    """Put a generator where it stood."""
    generator.bit_generator.state = json.loads(state)
