"""Errors of the aggregators."""

from robomtl.methods.exceptions import MethodError


class GramError(MethodError):
    """What should be a Gram matrix of task gradients is none."""


class NonFiniteGramError(GramError):
    """Some tasks' gradients are NaN or infinite, or their products overflow.

    Attributes:
        tasks: Indices of these tasks.
    """

    def __init__(self, tasks: list[int]) -> None:
        self.tasks = tasks
        super().__init__(
            f"The gradients of tasks {tasks} (counted from 0) are not finite. Look for NaN in "
            "their losses; in half precision, also for overflow."
        )


class WeightsError(MethodError):
    """The task weights do not fit the method or the number of tasks."""


class SolverError(MethodError):
    """A solver did not reach its tolerance."""


class StateError(MethodError):
    """A saved state belongs to another aggregator or another number of tasks."""
