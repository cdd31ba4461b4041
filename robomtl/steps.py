"""Numbers of training steps."""

from robomtl.exceptions import ExperimentError


def check_steps(config: object, *names: str) -> None:
    """Refuse numbers of steps in a config that are below 1; None passes.

    Raises:
        ExperimentError: A number is below 1; the message names it.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None and value < 1:
            raise ExperimentError(f"{name} is at least 1 step, not {value}")
