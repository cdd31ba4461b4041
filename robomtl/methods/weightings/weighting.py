"""What every weighting is: a rule that says how much each task counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from torch import Tensor

from robomtl.methods.exceptions import MethodError
from robomtl.methods.step import Step

Uses = Literal["losses", "gradients", "gram"]


class Weighting(ABC):
    """Chooses lambda, what multiplies each task's loss.

    Attributes:
        uses: What it looks at: the losses; also `Step.gradients`, of which sums and inner
            products can be asked; or also `Step.gram`, made of the gradients of the shared
            parameters. With losses alone, and without an aggregator, a step takes a single
            backward pass.
        uses_validation: Whether it looks at `Step.validation_batch`.
    """

    uses: ClassVar[Uses] = "losses"
    uses_validation: ClassVar[bool] = False

    @abstractmethod
    def weights(self, step: Step) -> Tensor:
        """Return lambda for this step, (K,) float64, and learn from the step."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            MethodError: The state is that of another weighting.
        """
        if state:
            raise MethodError(f"{type(self).__name__} has no state, but was given {sorted(state)}.")
