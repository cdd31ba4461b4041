"""Errors of the weightings."""

from collections.abc import Sequence

from torch import Tensor

from robomtl.methods.exceptions import MethodError


class NonPositiveLossError(MethodError):
    """A weighting takes logarithms or ratios of losses, and a loss is too low for that.

    Attributes:
        losses: The offending losses by task name.
    """

    def __init__(self, method: str, losses: dict[str, float], bound: float) -> None:
        self.losses = losses
        named = ", ".join(f"{task} ({value})" for task, value in losses.items())
        super().__init__(
            f"{method} needs losses above {bound:g}, which was not so for: {named}. "
            "Use losses that are bounded below, shifted if need be, or another weighting."
        )


def require_positive(
    method: str, tasks: Sequence[str], losses: Tensor, *, bound: float = 0.0
) -> None:
    """Check that all losses (K,) are above a bound.

    Raises:
        NonPositiveLossError: Some are not.
    """
    named = zip(tasks, losses.tolist(), strict=True)
    low = {task: loss for task, loss in named if loss <= bound}
    if low:
        raise NonPositiveLossError(method, low, bound)
