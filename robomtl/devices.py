"""Where tensors live."""

from typing import Literal

import torch

from robomtl.exceptions import ExperimentError

Device = Literal["auto", "cpu", "cuda", "mps"]


def resolve_device(device: str) -> str:
    """The device to use; "auto" takes the fastest that this machine has.

    Raises:
        ExperimentError: This machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    usable = [name for name, there in available.items() if there]
    if device == "auto":
        return usable[0]
    if device not in usable:
        raise ExperimentError(f"no device {device!r} on this machine; it has: {', '.join(usable)}")
    return device
