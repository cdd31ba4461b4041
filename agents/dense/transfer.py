"""How much of one task can be read from what an encoder has learned for others."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from robomtl.agents.dense.exceptions import ArchitectureError
from robomtl.agents.dense.network import DenseNetwork, DenseNetworkConfig


class TransferNetwork(DenseNetwork):
    """A network whose encoder is another's and stays as it is.

    Trained are the decoders and, between them and the encoder, two convolutions, as the transfer
    function of SAAL (Graffeuille et al. 2024, section 4.4) has them after Taskonomy (Zamir et al.
    2018). Our choices where these are silent: 3x3 with a ReLU in between, as wide as what the
    encoder hands on. They stand at a quarter of the image's resolution; what decoders see at half
    of it, which the papers' networks do not have, comes from the encoder directly.

    Args:
        heads: Names of what to predict.
        classes: Number of classes of the segmentation.
        config: Sizes, those of the other network; sharing "full".
        encoder: State of the other network; its decoders may be for other tasks.

    Raises:
        ArchitectureError: The other network has another encoder, or branches for its tasks.
    """

    def __init__(
        self,
        heads: Sequence[str],
        classes: int,
        config: DenseNetworkConfig,
        encoder: Mapping[str, Tensor],
    ) -> None:
        if config.sharing != "full":
            raise ArchitectureError(
                "an encoder with branches for its own tasks cannot be used for others: "
                "sharing must be 'full'"
            )
        super().__init__(heads, classes, config)
        for name, part in (("trunk", self.trunk), ("branches", self.branches)):
            _load(part, name, encoder)
            part.requires_grad_(False)
        found = self.branches
        self.branches = nn.ModuleDict(
            {name: nn.Sequential(branch, _transfer(config)) for name, branch in found.items()}
        )

    def train(self, mode: bool = True) -> TransferNetwork:
        """Put what is trained into training mode; the encoder's statistics stay frozen."""
        super().train(mode)
        self.trunk.eval()
        for branch in self.branches.values():
            cast(nn.Sequential, branch)[0].eval()
        return self

    def without_auxiliaries(self) -> TransferNetwork:
        """Return a copy: there are no self-auxiliaries."""
        return copy.deepcopy(self)


def _transfer(config: DenseNetworkConfig) -> nn.Sequential:
    width = config.widths[1]
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
    )


def _load(part: nn.Module, name: str, state: Mapping[str, Tensor]) -> None:
    prefix = f"{name}."
    own = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
    try:
        part.load_state_dict(own)
    except RuntimeError as error:
        raise ArchitectureError(f"the encoder is of another architecture: {error}") from error
