"""Errors of the agents wing."""

from collections.abc import Sequence


class AgentError(ValueError):
    """Base of all errors raised by agents."""


class UnknownTaskError(AgentError):
    """A policy was asked about a task that it was not trained on."""

    def __init__(self, task: str, tasks: Sequence[str]) -> None:
        super().__init__(
            f"This policy does not know task {task!r}. It was trained on: {list(tasks)}."
        )


class MissingInputError(AgentError):
    """An observation lacks something that a policy needs."""

    def __init__(self, name: str, cameras: Sequence[str]) -> None:
        super().__init__(
            f"The observation has no {name!r}. This policy needs colours, depth and matrices of "
            f"the cameras {list(cameras)}, gripper_pose, gripper_open and timestep."
        )


class ImageSizeError(AgentError):
    """An observation has images of another size than the policy was trained on."""

    def __init__(self, name: str, shape: Sequence[int], image_size: int) -> None:
        super().__init__(
            f"{name} is {' x '.join(map(str, shape))}; this policy was trained on images of "
            f"{image_size} x {image_size} pixels: make the environment with "
            f"image_size={image_size}."
        )


class UnsuitableSettingError(AgentError):
    """A setting that makes no sense."""

    def __init__(self, name: str, expected: str, value: object) -> None:
        super().__init__(f"{name} must be {expected}, not {value}.")


class UnsuitableImagesError(AgentError):
    """Images of a size that a network cannot look at."""

    def __init__(self, height: int, width: int, multiple: int, least: int) -> None:
        super().__init__(
            f"The network cannot look at images of {height} x {width} pixels: both numbers must be "
            f"multiples of {multiple}, {least} or more, such as 128."
        )


class BatchError(AgentError):
    """Batches cannot be made of a dataset as they are asked for."""


class PolicyFileError(AgentError):
    """A file is not a policy that this version can read."""
