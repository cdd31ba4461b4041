"""How sure a success rate is."""

from math import sqrt
from statistics import NormalDist


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a success probability.

    With p = successes/trials and z the normal quantile of the level, it is
    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n). Unlike p ± z·σ it stays within [0, 1] and has
    a width even where every trial succeeded.

    Args:
        successes: How many trials succeeded.
        trials: How many there were, at least 1.
        level: The confidence level, e.g. 0.95.

    Returns:
        The interval's lower and upper end.

    Raises:
        ValueError: `trials` is below 1 or `successes` is not within 0..trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"need 0 <= successes <= trials and trials >= 1: {successes} of {trials}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate = successes / trials
    centre = rate + z**2 / (2 * trials)
    half = z * sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    # At no and at all successes the ends are 0 and 1 exactly; rounding would miss them.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == trials else (centre + half) / scale
    return low, high
