"""Seeds that trainings take."""

from collections.abc import Sequence

from robomtl.distinct import check_distinct
from robomtl.exceptions import ExperimentError


def check_seed(seed: int) -> None:
    """Refuse a seed that random numbers cannot start from.

    Raises:
        ExperimentError: It is negative, or has more than 63 bits.
    """
    if not 0 <= seed < 2**63:
        raise ExperimentError(f"the seed must be within 0 to 2**63 - 1, not {seed}")


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that cannot all count as trainings of their own.

    Raises:
        ExperimentError: One is no seed, or there twice.
    """
    for seed in seeds:
        check_seed(seed)
    check_distinct("seeds", seeds)
