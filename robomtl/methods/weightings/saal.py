"""SAAL: transfer in one direction, by clones of tasks (Graffeuille et al. 2024).

A self-auxiliary "s->t" has the labels and the loss of its source s, and looks through the part of
the encoder that belongs to its target t, with a decoder of its own that is thrown away in the end.
So s teaches t, and t does not teach s. An objective for these methods has the real tasks, and as
many self-auxiliaries as are wanted, which name themselves like that.

Coefficients omega say how much each counts. Eq. 11 makes those of a target and of everything that
teaches it sum to 1 (its second denominator must mean omega_{s->t}):

    omega_bar_i = omega_i / (omega_t + sum_s omega_{s->t})    for i = t and for every i = s->t
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from robomtl.methods.exceptions import MethodError, MissingArgumentError, UnknownTaskError
from robomtl.methods.recipe import Recipe
from robomtl.methods.step import Step
from robomtl.methods.weightings.auto_lambda import AutoLambda
from robomtl.methods.weightings.constant import Constant

ARROW = "->"


class SelfAuxiliaryNameError(MethodError):
    """A task's name has an arrow, and is not that of a transfer between two real tasks."""

    def __init__(self, name: str, real: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} is no self-auxiliary: name it 'source{ARROW}target', after two different "
            f"tasks of {list(real)}."
        )


class OmegaError(MethodError):
    """Coefficients of self-auxiliaries make no sense."""


def self_auxiliaries(tasks: Sequence[str], helpful: Mapping[str, Collection[str]]) -> list[str]:
    """Return the names "source->target" of the transfers that help.

    An objective that leaves the others out does not compute them, which is what weight 0 means.

    Args:
        tasks: Names of the real tasks.
        helpful: For each target, the tasks that it learns better with (Eq. 5), such as
            `robomtl.methods.relationships.helpful` finds. A target itself does not count, and one
            that is not named has no helpers.

    Raises:
        UnknownTaskError: A target or a source is not among the tasks.
    """
    named = [*helpful, *(source for sources in helpful.values() for source in sources)]
    if strange := sorted(set(named) - set(tasks)):
        raise UnknownTaskError(strange, tasks)
    return [
        f"{source}{ARROW}{target}"
        for source in tasks
        for target in tasks
        if source != target and source in helpful.get(target, ())
    ]


class Targets:
    """Whom each of an objective's tasks teaches: a real task itself, "s->t" its target t.

    Args:
        tasks: Names of the objective's tasks.

    Attributes:
        real: Names of the real tasks.
        index: Number of each task's target among the real ones, (K,) int64.

    Raises:
        MissingArgumentError: There are no self-auxiliaries.
        SelfAuxiliaryNameError: A name with an arrow is not that of a transfer between two
            different real tasks.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.real = tuple(task for task in tasks if ARROW not in task)
        if len(self.real) == len(tasks):
            raise MissingArgumentError(
                f"SAAL needs an objective with self-auxiliaries, named 'source{ARROW}target'; "
                f"its tasks are {list(tasks)}."
            )
        self.index = torch.tensor([self.real.index(self._target(task)) for task in tasks])

    def _target(self, task: str) -> str:
        source, arrow, target = task.partition(ARROW)
        if not arrow:
            return task
        if source == target or source not in self.real or target not in self.real:
            raise SelfAuxiliaryNameError(task, self.real)
        return target

    def totals(self, omega: Tensor) -> Tensor:
        """Return the sum of the coefficients of all that teach the same target, (K,)."""
        return omega.new_zeros(len(self.real)).index_add(0, self.index, omega)[self.index]

    def normalised(self, omega: Tensor) -> Tensor:
        """Return Eq. 11, (K,); 0 where a target's coefficients are all 0."""
        totals = self.totals(omega)
        return omega / torch.where(totals > 0, totals, 1.0)


class LearnedOmega(AutoLambda):
    """SAAL_w: learns omega by looking one step ahead (section 3.2); with a mask, SAAL_ew.

    The look ahead is Auto-lambda's, with its exact gradient in place of Eq. 9's finite difference,
    taken through Eq. 11: d L_val / d omega = (d omega_bar / d omega)^T d L_val / d omega_bar.
    Validation counts primary tasks alone, unweighted (Eq. 3). SAAL_ew multiplies by given
    coefficients (Eq. 10) before Eq. 11; doing so before and after comes to the same.

    The paper starts all omega at the same number, which it does not say, and moves them by Adam
    at 1e-4. We start at 0.1, as the authors' code and Auto-lambda do, and bring an omega that
    falls below 0 back to 0, where it can rise again: a negative one has no meaning in Eq. 11.

    In the authors' code the look ahead is taken with omega as it is, and training gives all tasks
    of a target the same weight, the mean of their omega over their number: neither is Eq. 11. It
    validates on a fifth of the training images that is held out, which here is up to the caller.

    Args:
        tasks: Names of the objective's tasks, of which those with an arrow are self-auxiliaries.
        primary: Names of those that matter in the end. Self-auxiliaries among them do not count.
        optimiser: What trains the parameters, whose step is looked ahead to.
        given: Coefficients to multiply by, (K,): those of an enumeration are 0 or 1.
        initial: Initial omega of each task.
        rate: Learning rate of Adam on omega.

    Raises:
        MissingArgumentError: There are no self-auxiliaries, or no real task is primary.
        SelfAuxiliaryNameError: A self-auxiliary's name is malformed.
        OmegaError: The given coefficients are negative, not finite, or 0 for all that teaches some
            task.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        primary: Sequence[str],
        optimiser: torch.optim.Optimizer | None,
        *,
        given: Tensor | None = None,
        initial: float = 0.1,
        rate: float = 1e-4,
    ) -> None:
        self.targets = Targets(tasks)
        real = tuple(task for task in self.targets.real if task in primary)
        if not real:
            raise MissingArgumentError(
                f"SAAL validates on real tasks, and {list(primary)} are none: name some of "
                f"{list(self.targets.real)} as primary."
            )
        super().__init__(tasks, real, optimiser, initial=initial, rate=rate)
        if given is None:
            given = torch.ones(len(self.tasks), dtype=torch.float64)
        self.given = _checked(given, self.targets)

    def effective(self, learned: Tensor) -> Tensor:
        """Return the weights omega_bar, (K,)."""
        return self.targets.normalised(self.given * learned)

    def weights(self, step: Step) -> Tensor:
        """Return omega_bar after learning from this step's look ahead, (K,) float64."""
        super().weights(step)
        self._learned.values = self._learned.values.clamp(min=0)
        return self.effective(self._learned.values)


def saal_e(recipe: Recipe) -> Constant:
    """Return SAAL_e: given coefficients omega, by Eq. 11.

    The paper's are 1 for real tasks and for transfers that help, else 0 (Eq. 5); any others will
    do. The authors' code has the lists of what helps on each data set written into it.

    Raises:
        MissingArgumentError: There are no self-auxiliaries, or not one weight for each task.
        SelfAuxiliaryNameError: A self-auxiliary's name is malformed.
        OmegaError: Weights are negative, not finite, or 0 for all that teaches some task.
    """
    targets = Targets(recipe.tasks)
    return Constant(targets.normalised(_checked(recipe.given_weights(), targets)))


def saal_w(recipe: Recipe) -> LearnedOmega:
    """Return SAAL_w."""
    return LearnedOmega(recipe.tasks, recipe.primary, recipe.optimiser, rate=recipe.rate_or(1e-4))


def saal_ew(recipe: Recipe) -> LearnedOmega:
    """Return SAAL_ew.

    Raises:
        MissingArgumentError: There is not one weight for each task.
    """
    return LearnedOmega(
        recipe.tasks,
        recipe.primary,
        recipe.optimiser,
        given=recipe.given_weights(),
        rate=recipe.rate_or(1e-4),
    )


def _checked(omega: Tensor, targets: Targets) -> Tensor:
    omega = omega.double()
    if omega.shape != targets.index.shape or not (omega.isfinite() & (omega >= 0)).all():
        raise OmegaError(
            f"Coefficients are {len(targets.index)} finite numbers of at least 0, "
            f"not {omega.tolist()}."
        )
    untaught = targets.index[targets.totals(omega) == 0].unique().tolist()
    if untaught:
        names = [targets.real[number] for number in untaught]
        raise OmegaError(f"Nothing teaches {names}: all their coefficients are 0.")
    return omega
