"""Names and numbers that count once each."""

from collections.abc import Sequence

from robomtl.exceptions import ExperimentError


def check_distinct(what: str, given: Sequence[object]) -> None:
    """Refuse a list that has something twice.

    Args:
        what: What is listed, such as "tasks".
        given: The list.

    Raises:
        ExperimentError: Something is there more than once; the message says what.
    """
    if repeated := [one for one in dict.fromkeys(given) if given.count(one) > 1]:
        raise ExperimentError(f"the {what} {list(given)} name {repeated} more than once")
