"""Seeds that trainings take."""

from robomtl.exceptions import ExperimentError


def check_seed(seed: int) -> None:
    """Refuse a seed that random numbers cannot start from.

    Raises:
        ExperimentError: It is negative.
    """
    if seed < 0:
        raise ExperimentError(f"the seed must be 0 or more, not {seed}")
