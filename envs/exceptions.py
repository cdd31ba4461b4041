"""What can go wrong where robots move."""

from __future__ import annotations

from collections.abc import Iterable


class EnvError(RuntimeError):
    """Base of every error raised by ``robomtl.envs``."""


class UnknownNameError(EnvError, ValueError):
    """A task, camera, simulator or look that does not exist.

    Args:
        kind: What was asked for, such as ``"task"``.
        name: The name that was given.
        valid: The names that exist.
    """

    def __init__(self, kind: str, name: object, valid: Iterable[object]) -> None:
        super().__init__(f"unknown {kind} {name!r}; valid: {', '.join(map(str, valid))}")


class InvalidActionError(EnvError, ValueError):
    """An action of the wrong shape, not finite, or whose quaternion is not a rotation."""


class UnreachablePoseError(EnvError):
    """No joint path takes the gripper to the pose that was asked for."""


class PlacementError(EnvError):
    """No placement of the task's objects was found in which the expert can reach everything."""


class DemonstrationError(EnvError):
    """The scripted expert failed in every attempt at a demonstration."""


class RenderingError(EnvError):
    """No OpenGL context could be created."""


class MissingSimulatorError(EnvError):
    """A simulator is not installed, or not as it must be; the message says what to do."""


class SimulatorError(EnvError):
    """A simulator failed to start or to go on."""


class ResetNeededError(EnvError):
    """An environment was stepped in which no episode is under way."""
