"""A synthetic problem of two losses and two parameters that is hard on multi-task methods."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

TASKS: tuple[str, ...] = ("first", "second")

STARTS = ((-8.5, 7.5), (0.0, 0.0), (9.0, 9.0), (-7.5, -0.5), (9.0, -1.0))
"""Where optimisation starts, (theta_1, theta_2).

Nash-MTL (Navon et al. 2022) starts from these five, and so does Fig. 1 of Aligned-MTL. The first
and the third are from CAGrad (Liu et al. 2021), whose third one was (-8.5, -5).
"""


def losses(points: Tensor) -> Tensor:
    """Return both losses at points (..., 2), (..., 2).

    With theta = (x, y), from Liu et al., Conflict-Averse Gradient Descent (NeurIPS 2021), appendix:

        L_i = max(tanh(y/2), 0) f_i + max(tanh(-y/2), 0) h_i
        f_1 = log max(|-(x + 7)/2 + tanh(y)|, 5e-6) + 6
        f_2 = log max(|-(x - 3)/2 - tanh(y) + 2|, 5e-6) + 6
        h_1 = ((x - 7)^2 + (y + 8)^2 / 10) / 10 - 20
        h_2 = ((x + 7)^2 + (y + 8)^2 / 10) / 10 - 20

    The logarithms of the upper half plane have deep, narrow ravines, in which one gradient is much
    longer than the other; the bowls of the lower half share a valley, in which gradients conflict.
    At y = 0 both halves count in the derivative, or else nothing would ever leave (0, 0).
    """
    x, y = points.unbind(-1)
    bend = y.tanh()
    upper, lower = (y / 2).tanh().clamp(min=0), (-y / 2).tanh().clamp(min=0)
    ravines = (-(x + 7) / 2 + bend, -(x - 3) / 2 - bend + 2)
    centres = (7, -7)
    return torch.stack(
        [
            upper * (ravine.abs().clamp(min=5e-6).log() + 6)
            + lower * (((x - centre) ** 2 + (y + 8) ** 2 / 10) / 10 - 20)
            for ravine, centre in zip(ravines, centres, strict=True)
        ],
        dim=-1,
    )


class ToyObjective:
    """The two losses of two shared parameters, as multi-task methods want to see them.

    Args:
        start: Where the parameters are at first.

    Attributes:
        point: The parameters, (2,) float64.
    """

    tasks = TASKS
    multi_domain = False

    def __init__(self, start: Sequence[float]) -> None:
        self.point = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the two parameters, as one tensor."""
        return [self.point]

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        """Return none."""
        return []

    def losses(self, batch: None, tasks: Sequence[str]) -> list[Tensor]:
        """Return the losses of `tasks`; there is nothing random that a batch could hold."""
        both = losses(self.point).unbind()
        return [both[self.tasks.index(task)] for task in tasks]
