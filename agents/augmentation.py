"""What is varied from one look at a sample to the next, so that a few demonstrations go far."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from robomtl.agents.exceptions import UnsuitableSettingError
from robomtl.agents.ranges import check_not_negative


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """Ranges of the random changes made to training samples; all of them are our choice.

    Raises:
        UnsuitableSettingError: One is negative.
    """

    shift: int = 4
    """Largest shift of an image in pixels. Each pixel keeps its world point: labels still hold."""
    contrast: float = 0.1
    """Largest relative change of contrast, one for all cameras of a sample."""
    brightness: float = 0.05
    """Largest change of brightness, as a part of white."""
    noise: float = 0.02
    """Standard deviation of the noise added to colours, as a part of white."""
    proprioception: float = 0.005
    """Standard deviation in [m] of the noise on the gripper's current position."""
    jitter: float = 0.01
    """Standard deviation in [m] of where the network takes its second look."""

    def __post_init__(self) -> None:
        check_not_negative(self, *(field.name for field in fields(self)))


def check_shift(config: AugmentationConfig, image_size: int) -> None:
    """Refuse shifts that would leave nothing of images of this width and height in pixels.

    Raises:
        UnsuitableSettingError: They would.
    """
    if config.shift >= image_size:
        raise UnsuitableSettingError(
            "shift", f"less than {image_size}, the width of the images", config.shift
        )


def vary_colours(rgb: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Return colours (B, C, H, W, 3) in [0, 1] with other contrast, brightness and noise."""
    per_sample = (len(rgb), 1, 1, 1, 1)
    contrast = 1 + config.contrast * (2 * torch.rand(per_sample, generator=generator) - 1)
    brightness = config.brightness * (2 * torch.rand(per_sample, generator=generator) - 1)
    varied = rgb * contrast + (brightness + 0.5 * (1 - contrast))
    if config.noise:
        varied += config.noise * torch.randn(rgb.shape, generator=generator)
    return varied.clamp_(0, 1)
