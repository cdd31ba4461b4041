"""What methods are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from robomtl.methods.exceptions import MissingArgumentError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a caller of `make` may say about the method that is wanted.

    Attributes:
        name: The method's name, for error messages.
        tasks: Names of the K tasks.
        primary: Names of the tasks that matter in the end.
        optimiser: What trains the parameters.
        weights: Given weight of each task, by name.
        rate: Learning rate of learned weights; none for the method's own.
        seed: Seed of what is drawn at random.
    """

    name: str
    tasks: tuple[str, ...]
    primary: tuple[str, ...]
    optimiser: torch.optim.Optimizer | None = None
    weights: Mapping[str, float] | None = None
    rate: float | None = None
    seed: int = 0

    def rate_or(self, default: float) -> float:
        """Return the learning rate that was asked for, or a method's own."""
        return default if self.rate is None else self.rate

    def auxiliary(self) -> tuple[str, ...]:
        """Return the tasks that are not primary.

        Raises:
            MissingArgumentError: All tasks are primary.
        """
        auxiliary = tuple(task for task in self.tasks if task not in self.primary)
        if not auxiliary:
            raise MissingArgumentError(
                f"{self.name!r} weighs auxiliary tasks by how they help primary ones, and all of "
                f"{list(self.tasks)} are primary: name some of them as primary."
            )
        return auxiliary

    def given_weights(self) -> torch.Tensor:
        """Return the given weight of each task, (K,) float64.

        Raises:
            MissingArgumentError: There are none, or not of exactly these tasks.
        """
        if self.weights is None or set(self.weights) != set(self.tasks):
            given = None if self.weights is None else list(self.weights)
            raise MissingArgumentError(
                f"{self.name!r} needs weights: one number for each of {list(self.tasks)}, "
                f"not for {given}."
            )
        return torch.tensor([self.weights[task] for task in self.tasks], dtype=torch.float64)
