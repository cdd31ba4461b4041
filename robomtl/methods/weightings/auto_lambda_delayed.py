"""Auto-lambda without a look ahead."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from robomtl.methods.gradients import GradientMatrix
from robomtl.methods.step import Step
from robomtl.methods.weightings.auto_lambda import AutoLambda
from robomtl.methods.weightings.weighting import Uses


class DelayedAutoLambda(AutoLambda):
    """Auto-lambda that looks at the step that is really taken next, not at one of its own.

    Our variant, not the paper's: new weights count one step later. Then theta' is where the
    parameters really go, and with the next training batch to validate on, grad L_val(theta') is
    the sum of the primary tasks' gradients of the next step, which are had anyway. So the gradient
    of lambda is as exact as ever, and costs next to nothing beyond the task gradients.

    Those of the last step are kept, K times as many numbers as there are parameters, also in the
    state. The optimiser must be given the gradients as they are: not clipped, not aggregated.
    """

    uses: ClassVar[Uses] = "gram"  # a matrix, which outlives the graph that it comes from
    uses_validation: ClassVar[bool] = False

    _last: GradientMatrix | None = None

    def weights(self, step: Step) -> Tensor:
        """Return lambda after learning from where the last step led, (K,) float64.

        Raises:
            MissingArgumentError: There is no optimiser.
            NonFiniteGradientError: A gradient is not finite, in which case nothing is learned.
        """
        gradients = step.gradients
        assert isinstance(gradients, GradientMatrix)
        if self._last is not None:
            # Those of other tasks' own parameters have no part in the products.
            step.check_gradients([g for group in gradients.own_gradients for g in group])
            self._learned.descend(self._descent(step, self._products(self._last, gradients)))
        current = self.effective(self._learned.values)
        self._last = None
        if self._ahead.informative:
            virtual = [*gradients.combine(current), *gradients.weighted_own(current)]
            _, derivatives = self._look(step, gradients.parameters(), virtual)
            self._last = gradients.scaled(derivatives)
        return current

    def _products(self, last: GradientMatrix, gradients: GradientMatrix) -> Tensor:
        """Return <grad L_val(theta'), (d theta' / d gradient) g_i> for each task, (K,) float64."""
        counted = torch.tensor([float(task in self.primary) for task in self.tasks])
        own = [
            group if task in self.primary else [None] * len(group)
            for task, group in zip(self.tasks, gradients.own_gradients, strict=True)
        ]
        return last.dot(gradients.combine(counted), own)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        last = self._last
        kept = {} if last is None else {"blocks": last.blocks, "own": last.own_gradients}
        return {**super().state_dict(), **kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        super().load_state_dict(state)
        self._last = None
        if "blocks" in state:
            device = self._ahead.device
            blocks = [block.to(device) for block in state["blocks"]]
            self._last = GradientMatrix(self.tasks, [], [], blocks)
            self._last.own_gradients = [
                [None if g is None else g.to(device) for g in group] for group in state["own"]
            ]
