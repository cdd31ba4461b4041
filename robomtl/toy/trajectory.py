"""How a method walks through the toy problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from robomtl import methods
from robomtl.methods import CombinationError, MethodError, UnknownMethodError
from robomtl.threads import torch_threads
from robomtl.toy.problem import TASKS, ToyObjective

EVERY = 10
"""Steps between the points that are kept of a trajectory."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What to do.

    Attributes:
        method: Name of the method.
        start: Where it starts.
        steps: Steps that it takes.
        learning_rate: Adam's learning rate.
    """

    method: str
    start: tuple[float, float]
    steps: int
    learning_rate: float

    def __str__(self) -> str:
        return f"{self.method} from {self.start}"


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Where a method went.

    Attributes:
        points: The parameters at the start, after every `EVERY` steps and at the end, also where
            the method gave up, (N, 2).
        stopped: Why the method gave up before the end; empty if it did not.
    """

    points: NDArray[np.float64]
    stopped: str = ""


@torch_threads(1)
def walk(job: Walk) -> Trajectory:
    """Let a method minimise the losses with Adam.

    A method that cannot go on, such as one that takes logarithms of losses where they are
    negative, stops there; the trajectory says why.
    """
    objective = ToyObjective(job.start)
    optimiser = torch.optim.Adam([objective.point], lr=job.learning_rate)
    method = make(job.method, optimiser)
    points = [objective.point.detach().numpy().copy()]
    stopped = ""
    for step in range(1, job.steps + 1):
        try:
            method.backward(objective, (), ())
        except MethodError as error:
            stopped = f"step {step}: {error}"
            if (step - 1) % EVERY:
                points.append(objective.point.detach().numpy().copy())
            break
        optimiser.step()
        if step % EVERY == 0 or step == job.steps:
            points.append(objective.point.detach().numpy().copy())
    return Trajectory(points=np.stack(points), stopped=stopped)


def make(name: str, optimiser: torch.optim.Optimizer) -> methods.Method:
    """Return the method of that name for the toy's tasks.

    Raises:
        MethodError: There is no such method, or it needs what the toy does not have.
    """
    given = dict.fromkeys(TASKS, 1 / len(TASKS)) if "fixed" in name.split("+") else None
    return methods.make(name, TASKS, optimiser=optimiser, weights=given)


def unsuitable(names: Sequence[str], start: tuple[float, float]) -> dict[str, str]:
    """Return the methods that the toy cannot show, with the reason.

    Raises:
        UnknownMethodError: There is no such method.
        CombinationError: The names in it do not go together.
    """
    refused = {}
    for name in names:
        objective = ToyObjective(start)
        try:
            method = make(name, torch.optim.Adam([objective.point]))
            method.backward(objective, (), ())
        except (UnknownMethodError, CombinationError):
            raise
        except MethodError as error:
            refused[name] = str(error)
    return refused
