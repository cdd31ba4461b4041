"""Numbers among settings, and what they may be."""

from __future__ import annotations

import math

from robomtl.agents.exceptions import UnsuitableSettingError


def check_counts(config: object, *names: str) -> None:
    """Refuse numbers of things in a config, or tuples of such numbers, that are below 1.

    Raises:
        UnsuitableSettingError: One is; the message names it.
    """
    for name in names:
        value = getattr(config, name)
        if min(value if isinstance(value, tuple) else (value,)) < 1:
            raise UnsuitableSettingError(name, "1 or more", value)


def check_positive(config: object, *names: str) -> None:
    """Refuse numbers in a config that are not positive, or not finite.

    Raises:
        UnsuitableSettingError: One is not; the message names it.
    """
    for name in names:
        if not 0 < getattr(config, name) < math.inf:
            raise UnsuitableSettingError(name, "positive and finite", getattr(config, name))


def check_not_negative(config: object, *names: str) -> None:
    """Refuse numbers in a config that are negative, or not finite.

    Raises:
        UnsuitableSettingError: One is; the message names it.
    """
    for name in names:
        if not 0 <= getattr(config, name) < math.inf:
            raise UnsuitableSettingError(name, "0 or more, and finite", getattr(config, name))
