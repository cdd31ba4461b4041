"""An encoder-decoder for dense prediction: shared trunk, branches, one decoder per task.

A small U-Net (Ronneberger et al. 2015). The trunk takes the image down to a quarter of its
resolution; a branch goes down to a sixteenth and comes back; a decoder makes a full-resolution map
of what the branch says and what the trunk saw at half the resolution. Where all tasks share one
branch, this is the hard sharing ("split") of Auto-lambda (Liu et al. 2022) with heavy decoders;
where each task has its own, it is the half-shared network of SAAL, section 4. Sizes are our choice,
for processors: the papers use ResNet-50 with an ASPP decoder per task.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robomtl.agents.dense.exceptions import ArchitectureError
from robomtl.agents.dense.heads import Head

#: What a branch hands to decoders: features at half and at a quarter of the image's resolution.
Representation = tuple[Tensor, Tensor]

_SHARED = "shared"
_OUTPUTS = {"depth": 1, "normals": 3, "noise": 1}  # segmentation: as many as there are classes


@dataclass(frozen=True, kw_only=True)
class DenseNetworkConfig:
    """Sizes of the network and what its tasks share."""

    sharing: Literal["full", "half"] = "full"
    """Whether all tasks share the whole encoder, or its shallow half only."""
    widths: tuple[int, int, int, int] = (32, 64, 128, 192)
    """Channels at a half, quarter, eighth and sixteenth of the image's resolution."""
    decoder: int = 32
    """Channels of the decoders."""
    norm: Literal["group", "batch"] = "group"
    """Group norm, or batch norm, whose running statistics are a state that is not a parameter."""


class DenseNetwork(nn.Module):
    """Predicts maps from images.

    Args:
        heads: Names of what to predict: tasks, and in a half-shared network self-auxiliaries.
        classes: Number of classes of the segmentation.
        config: Sizes and sharing.

    Raises:
        UnknownDenseTaskError: A name is neither a task nor a self-auxiliary.
        ArchitectureError: No head, one twice, a self-auxiliary that has no branch to teach, or a
            size below 1.
    """

    def __init__(
        self, heads: Sequence[str], classes: int, config: DenseNetworkConfig | None = None
    ) -> None:
        super().__init__()
        self.config = config = config or DenseNetworkConfig()
        self.classes = classes
        self.heads = {name: Head.parse(name) for name in heads}
        _check(heads, self.heads.values(), config)
        self.trunk = _Trunk(config)
        branches = dict.fromkeys(self.branch_of(name) for name in heads)
        self.branches = nn.ModuleDict({branch: _Branch(config) for branch in branches})
        self.decoders = nn.ModuleDict(
            {
                name: _Decoder(_OUTPUTS.get(head.source, classes), config)
                for name, head in self.heads.items()
            }
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def branch_of(self, head: str) -> str:
        """Return the name of the branch that a head looks through."""
        return _SHARED if self.config.sharing == "full" else self.heads[head].target

    def encode(self, image: Tensor, branches: Iterable[str]) -> dict[str, Representation]:
        """Return what the named branches make of images (B, 3, H, W).

        H and W must be multiples of 16. The features at half the resolution are the trunk's, and
        so the same tensor in all of them.
        """
        half, quarter = self.trunk(image.contiguous(memory_format=torch.channels_last))
        return {name: (half, self.branches[name](quarter)) for name in dict.fromkeys(branches)}

    def decode(self, representation: Representation, head: str) -> Tensor:
        """Return a head's map: logits (B, classes, H, W), or (B, 1 or 3, H, W).

        Normals have length 1; depth is in [m].
        """
        output = widened(self.decoders[head](*representation))
        return F.normalize(output, dim=1) if self.heads[head].source == "normals" else output

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map images (B, 3, H, W) in [-1, 1] to every head's map; see `decode`."""
        representations = self.encode(image, self.branches)
        return {
            name: self.decode(representations[self.branch_of(name)], name) for name in self.heads
        }

    def without_auxiliaries(self) -> DenseNetwork:
        """Return the network that is used in the end: no self-auxiliaries, the same weights."""
        tasks = [name for name, head in self.heads.items() if not head.auxiliary]
        network = DenseNetwork(tasks, self.classes, self.config)
        kept = network.state_dict().keys()
        network.load_state_dict({k: v for k, v in self.state_dict().items() if k in kept})
        return network.to(next(self.parameters()).device)


def widened(values: Tensor) -> Tensor:
    """Return what autocast made bfloat16 as float32, and anything else as it is."""
    return values.float() if values.dtype == torch.bfloat16 else values


def _check(names: Sequence[str], heads: Iterable[Head], config: DenseNetworkConfig) -> None:
    if not names or len(set(names)) < len(names):
        raise ArchitectureError(f"a network needs different heads, at least one, not {list(names)}")
    if min(*config.widths, config.decoder) < 1:
        raise ArchitectureError(
            f"widths and decoder are at least 1 channel each, not {list(config.widths)} and "
            f"{config.decoder}"
        )
    auxiliaries = [head for head in heads if head.auxiliary]
    if config.sharing == "full" and auxiliaries:
        raise ArchitectureError(
            f"self-auxiliaries {[head.name for head in auxiliaries]} need sharing 'half': with "
            "sharing 'full', no task has a branch of its own that they could teach"
        )
    homeless = [head.name for head in auxiliaries if head.target not in names]
    if homeless:
        raise ArchitectureError(
            f"self-auxiliaries {homeless} have targets that are not among the "
            f"tasks {[n for n in names if n not in homeless]}"
        )


class _Block(nn.Sequential):
    """3x3 convolution, norm, ReLU; a stride of 2 halves the resolution."""

    def __init__(
        self, inputs: int, outputs: int, norm: str, *, kernel: int = 3, stride: int = 1
    ) -> None:
        # One group: on a processor several times faster than more groups.
        normalise = nn.GroupNorm(1, outputs) if norm == "group" else nn.BatchNorm2d(outputs)
        convolution = nn.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        super().__init__(convolution, normalise, nn.ReLU())


class _Up(nn.Module):
    """Doubles the resolution of `x`, adds the features that were there on the way down, mixes."""

    def __init__(self, inputs: int, skip: int, outputs: int, norm: str) -> None:
        super().__init__()
        # Channels are changed before enlarging: a quarter of the work.
        self.reduce = nn.Conv2d(inputs, outputs, 1)
        self.skip = nn.Conv2d(skip, outputs, 1)
        self.mix = _Block(outputs, outputs, norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        mixed: Tensor = self.mix(F.interpolate(self.reduce(x), scale_factor=2) + self.skip(skip))
        return mixed


class _Trunk(nn.Module):
    """What every task shares: the image at a half and at a quarter of its resolution."""

    def __init__(self, config: DenseNetworkConfig) -> None:
        super().__init__()
        half, quarter, *_ = config.widths
        norm = config.norm
        self.to_half = nn.Sequential(
            _Block(3, half, norm, kernel=5, stride=2), _Block(half, half, norm)
        )
        self.to_quarter = nn.Sequential(
            _Block(half, quarter, norm, stride=2), _Block(quarter, quarter, norm)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        half = self.to_half(image)
        return half, self.to_quarter(half)


class _Branch(nn.Module):
    """The deep half of the encoder, which sees the whole image, and the way back up."""

    def __init__(self, config: DenseNetworkConfig) -> None:
        super().__init__()
        _, quarter, eighth, sixteenth = config.widths
        norm = config.norm
        self.to_eighth = nn.Sequential(
            _Block(quarter, eighth, norm, stride=2), _Block(eighth, eighth, norm)
        )
        self.to_sixteenth = nn.Sequential(
            _Block(eighth, sixteenth, norm, stride=2), _Block(sixteenth, sixteenth, norm)
        )
        self.up_eighth = _Up(sixteenth, eighth, eighth, norm)
        self.up_quarter = _Up(eighth, quarter, quarter, norm)

    def forward(self, quarter: Tensor) -> Tensor:
        eighth = self.to_eighth(quarter)
        deep: Tensor = self.up_eighth(self.to_sixteenth(eighth), eighth)
        up: Tensor = self.up_quarter(deep, quarter)
        return up


class _Decoder(nn.Module):
    """A map at full resolution, by sub-pixel convolution (Shi et al. 2016) from half of it."""

    def __init__(self, outputs: int, config: DenseNetworkConfig) -> None:
        super().__init__()
        half, quarter, *_ = config.widths
        self.enter = _Block(quarter, config.decoder, config.norm)
        self.up = _Up(config.decoder, half, config.decoder, config.norm)
        self.pixels = nn.Conv2d(config.decoder, 4 * outputs, 1)

    def forward(self, half: Tensor, quarter: Tensor) -> Tensor:
        return F.pixel_shuffle(self.pixels(self.up(self.enter(quarter), half)), 2)
