"""One method at work on one problem."""

from __future__ import annotations

from collections.abc import Sequence

from robomtl import methods
from robomtl.bench.problem import Problem
from robomtl.methods import CombinationError, MethodError, UnknownMethodError


class Training:
    """A method that trains its own copy of a problem's network.

    Args:
        problem: The problem.
        name: The method's name.
        setting: Which tasks are primary, one of the problem's settings.

    Raises:
        MethodError: There is no such method, or it does not suit this problem.
    """

    def __init__(self, problem: Problem, name: str, setting: str) -> None:
        self.problem = problem
        self.objective, self.optimiser = problem.start()
        given = dict.fromkeys(problem.tasks, 1 / len(problem.tasks))
        self.method = methods.make(
            name,
            problem.tasks,
            problem.settings[setting],
            optimiser=self.optimiser,
            weights=given if "fixed" in name.split("+") else None,
        )

    def step(self) -> None:
        """Take a step: backward pass and optimiser."""
        self.method.backward(self.objective, self.problem.batch, self.problem.validation_batch)
        self.optimiser.step()


Case = tuple[str, str]
"""A method's name and a setting of the problem."""


def cases(problem: Problem, names: Sequence[str]) -> tuple[dict[str, Case], dict[str, str]]:
    """Return what can be run, by label, and why other methods cannot, by name.

    Auto-lambda is run in all settings of the problem, because its cost depends on how many tasks
    are primary; any other method in the first that suits it.

    Raises:
        UnknownMethodError: There is no such method.
        CombinationError: The names in it do not go together.
    """
    suitable: dict[str, Case] = {}
    refused: dict[str, str] = {}
    for name in names:
        found: list[str] = []
        reasons: list[str] = []
        for setting in problem.settings:
            if found and "auto_lambda" not in name:
                break
            try:
                Training(problem, name, setting).step()
            except (UnknownMethodError, CombinationError):
                raise
            except MethodError as error:
                reasons.append(str(error))
            else:
                found.append(setting)
        for setting in found:
            usual = setting == next(iter(problem.settings))
            suitable[name if usual else f"{name} ({setting})"] = (name, setting)
        if not found:
            refused[name] = reasons[0]
    return suitable, refused
