"""Errors of the methods wing."""


class MethodError(ValueError):
    """Base of all errors raised by multi-task methods."""


class UnknownMethodError(MethodError):
    """A method's name is not known."""

    def __init__(self, name: str, names: list[str]) -> None:
        super().__init__(f"Unknown method {name!r}. Available methods: {names}.")


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
