"""Learning rates that trainings take."""

import math

from robomtl.exceptions import ExperimentError


def check_rates(config: object, *names: str) -> None:
    """Refuse learning rates in a config that nothing can be learned at; None passes.

    Raises:
        ExperimentError: A rate is not positive or not finite; the message names it.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None and not 0 < value < math.inf:
            raise ExperimentError(f"{name} must be positive and finite, not {value}")
