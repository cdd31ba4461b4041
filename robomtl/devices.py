"""Where tensors live, and in which format they are multiplied."""

from typing import Literal

import torch

from robomtl.agents.processor import computes_in_bfloat16
from robomtl.exceptions import ExperimentError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "f32"]


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


def resolve_precision(precision: Precision, device: str) -> Literal["bf16", "f32"]:
    """The format of convolutions; "auto" takes bfloat16 where the device has units for it.

    There it is several times faster than float32. Where it would be emulated, it is slower. Our
    choice: Apple's devices count as having none.
    """
    if precision != "auto":
        return precision
    if torch.device(device).type == "cuda":
        computes = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        computes = torch.device(device).type == "cpu" and computes_in_bfloat16()
    return "bf16" if computes else "f32"
