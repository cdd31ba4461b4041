"""Auto-lambda for many tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from robomtl.methods.gradients import GradientBuffer
from robomtl.methods.statistics import kept_statistics
from robomtl.methods.step import Step
from robomtl.methods.weightings.auto_lambda import AutoLambda
from robomtl.methods.weightings.weighting import Uses


class StochasticAutoLambda(AutoLambda):
    """Auto-lambda that looks at a few tasks per step, so memory does not grow with their number.

    Section 4, "Stochastic Task Sampling". The look ahead uses the drawn tasks alone, and their
    weights alone are learned in that step. At least one of them is primary, which is our choice:
    without one there is nothing to look at.

    Args:
        tasks: Names of the K tasks.
        primary: Names of those whose validation loss counts.
        optimiser: What trains the parameters.
        initial: Initial weight of each task.
        rate: Learning rate of the weights.
        tasks_per_step: How many tasks are drawn; the paper takes what fits in memory.
        seed: Seed of the draws.
    """

    uses: ClassVar[Uses] = "losses"

    def __init__(
        self,
        tasks: Sequence[str],
        primary: Sequence[str],
        optimiser: torch.optim.Optimizer | None,
        *,
        initial: float = 0.1,
        rate: float = 3e-5,
        tasks_per_step: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__(tasks, primary, optimiser, initial=initial, rate=rate)
        self.tasks_per_step = min(tasks_per_step, len(self.tasks))
        self._generator = torch.Generator().manual_seed(seed)
        self._buffer = GradientBuffer()

    def weights(self, step: Step) -> Tensor:
        """Return lambda after learning those of the drawn tasks, (K,) float64."""
        if not self._ahead.informative:
            return self._learned.values
        drawn = self._draw()
        names = [self.tasks[i] for i in drawn]
        current = self._learned.values[drawn]
        with kept_statistics(step.objective):  # the step's own forward pass has counted
            gradients = self._buffer.compute(
                step.objective, step.batch, lambda losses: step.check_losses(names, losses), names
            )
        primary = [name for name in names if name in self.primary]
        gradient = torch.zeros(len(self.tasks), dtype=torch.float64)
        gradient[drawn] = self._exact(step, gradients, current, primary)
        which = torch.zeros(len(self.tasks), dtype=torch.bool)
        which[drawn] = True
        self._learned.descend(self._descent(step, gradient), which)
        return self._learned.values

    def _draw(self) -> list[int]:
        order = torch.randperm(len(self.tasks), generator=self._generator).tolist()
        first = next(i for i in order if self.tasks[i] in self.primary)
        others = [i for i in order if i != first][: self.tasks_per_step - 1]
        return sorted([first, *others])

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {**super().state_dict(), "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        super().load_state_dict(state)
        self._generator.set_state(state["generator"])
