"""Errors of the methods wing."""

from collections.abc import Iterable, Sequence


class MethodError(ValueError):
    """Base of all errors raised by multi-task methods."""


class UnknownMethodError(MethodError):
    """A method's name is not known."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        super().__init__(f"Unknown method {name!r}. Available methods: {list(names)}.")


class CombinationError(MethodError):
    """Two names were combined that do not go together."""


class UnknownTaskError(MethodError):
    """A task's name is not among the method's tasks."""

    def __init__(self, names: Iterable[str], tasks: Sequence[str]) -> None:
        super().__init__(f"Unknown tasks {list(names)}. The method's tasks are: {list(tasks)}.")


class MissingArgumentError(MethodError):
    """A method needs something that it was not given."""


class UnsuitableObjectiveError(MethodError):
    """A method cannot work on this kind of objective."""


class OverlappingParametersError(MethodError):
    """A parameter is said to belong to one task, and also to others."""

    def __init__(self, task: str, other: str, shape: Sequence[int]) -> None:
        super().__init__(
            f"A parameter of shape {tuple(shape)} of task {task!r} is also among {other}. "
            "A parameter that several tasks use belongs to the shared ones alone."
        )


class NonFiniteLossError(MethodError):
    """A task's loss is NaN or infinite; no gradient and no parameter was touched.

    Attributes:
        losses: The offending losses by task name.
        step: How many steps the method had done before.
    """

    def __init__(self, losses: dict[str, float], step: int) -> None:
        self.losses = losses
        self.step = step
        named = ", ".join(f"{task} ({value})" for task, value in losses.items())
        super().__init__(
            f"The loss is not finite at step {step} for: {named}. Nothing was changed. "
            "Look for NaN in that task's samples; if there is none, lower the learning rate."
        )


class NonFiniteGradientError(MethodError):
    """A task's gradient is NaN or infinite while its loss is not; no parameter was touched.

    Attributes:
        tasks: Names of the offending tasks.
        step: How many steps the method had done before.
    """

    def __init__(self, tasks: Sequence[str], step: int) -> None:
        self.tasks = tuple(tasks)
        self.step = step
        super().__init__(
            f"The gradient is not finite at step {step} for: {', '.join(tasks)}. No parameter was "
            "changed. Look for square roots, norms or divisions at zero in these tasks' losses."
        )
