"""RLBench's and PyRep's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from robomtl.envs.exceptions import (
    DemonstrationError,
    EnvError,
    InvalidActionError,
    PlacementError,
    SimulatorError,
    UnreachablePoseError,
)

_OURS: dict[str, type[EnvError]] = {
    "rlbench.backend.exceptions.InvalidActionError": InvalidActionError,
    "rlbench.backend.exceptions.BoundaryError": InvalidActionError,
    "rlbench.backend.exceptions.TaskEnvironmentError": PlacementError,
    "rlbench.backend.exceptions.WaypointError": PlacementError,
    "rlbench.backend.exceptions.NoWaypointsError": DemonstrationError,
    "rlbench.backend.exceptions.DemoError": DemonstrationError,
    "pyrep.errors.IKError": UnreachablePoseError,
    "pyrep.errors.ConfigurationPathError": UnreachablePoseError,
    "pyrep.errors.ConfigurationError": UnreachablePoseError,
    "pyrep.errors.GripperError": SimulatorError,
    "pyrep.errors.PyRepError": SimulatorError,
}


@contextmanager
def translated() -> Iterator[None]:
    """Turns the simulator's errors inside a `with` block into those of `robomtl.envs`.

    RLBench raises its InvalidActionError also where PyRep found no path; that is our
    `UnreachablePoseError`. Whatever neither of them defines passes through.
    """
    try:
        yield
    except Exception as error:
        kind = _kind(error.__cause__) if _kind(error) is InvalidActionError else None
        ours = kind if kind is UnreachablePoseError else _kind(error)
        if ours is None:
            raise
        raise ours(f"RLBench: {type(error).__name__}: {error}") from error


def _kind(error: BaseException | None) -> type[EnvError] | None:
    """Our class for an error of theirs. By name, because importing theirs may be impossible."""
    names = (f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__)
    return next((_OURS[name] for name in names if name in _OURS), None)
