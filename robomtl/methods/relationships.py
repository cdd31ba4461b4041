"""How much tasks help each other, by several measures (SAAL, Graffeuille et al. 2024, section 4.4).

A relationship is a matrix (T, T) float64, whose entry [s, t] says what source s does for target t.
The diagonal is NaN and counts nowhere. Unless said otherwise, more is better; what is compared
are the ranks of the sources for each target (`rank_correlation`), so scales do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from robomtl.methods.exceptions import MethodError, NonFiniteLossError, UnknownTaskError
from robomtl.methods.gradients import GradientBuffer, detached
from robomtl.methods.look_ahead import replaced
from robomtl.methods.objective import Objective
from robomtl.methods.statistics import kept_statistics
from robomtl.methods.weightings.saal import ARROW


@dataclass(frozen=True, kw_only=True)
class Affinity:
    """What one batch, or the median over many, says about tasks' relationships.

    Attributes:
        train: Relative fall of each target's loss on the training batch after a step along each
            source's gradient, (L_t(theta) - L_t(theta - rate g_s)) / |L_t(theta)|, (T, T).
        validation: The same on a batch that the step was not taken on, (T, T).
        angles: Angle between the gradients of the shared parameters in [rad], (T, T), symmetric.
            Less is better here: negate them to rank sources. NaN where a gradient vanishes.
    """

    train: Tensor
    validation: Tensor
    angles: Tensor


class Affinities:
    """Collects affinities along a training run.

    A virtual step goes along the gradient itself, without the optimiser's momentum: that would
    move all losses the same way, whatever the source. So do Fifty et al. (2021), whose measure the
    relative fall is, and the authors of SAAL. These leave out of an angle the parameters that only
    one of the two tasks uses; here such parameters count in its length. In a fully shared encoder,
    as the paper has it, there are none. The paper does not say how often to observe; its code does
    so every five steps.

    Args:
        tasks: Names of the T tasks to relate; an objective may have more.

    Attributes:
        tasks: Names of the T tasks.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self._buffer = GradientBuffer()
        self._seen: dict[str, list[Tensor]] = {"train": [], "validation": [], "angles": []}

    def observe(
        self, objective: Objective, batch: Any, validation_batch: Any, *, rate: float
    ) -> Affinity:
        """Measure on two batches, and remember. Parameters, gradients and buffers stay as they are.

        Args:
            objective: The problem.
            batch: What virtual steps are taken on.
            validation_batch: Another batch.
            rate: Length of the virtual steps in units of the gradient: the paper's code takes the
                learning rate of the moment.

        Raises:
            UnknownTaskError: The objective lacks one of the tasks.
            NonFiniteLossError: A loss is NaN or infinite.
        """
        if strange := [task for task in self.tasks if task not in objective.tasks]:
            raise UnknownTaskError(strange, objective.tasks)
        with kept_statistics(objective):
            matrix = self._buffer.compute(objective, batch, self._check, self.tasks)
            before = torch.stack((matrix.losses, self._losses(objective, validation_batch)))
        falls = []
        for source in range(len(self.tasks)):
            moved = [
                p.detach() - rate * block[source]
                for p, block in zip(matrix.shared, matrix.blocks, strict=True)
            ]
            with replaced(objective, matrix.shared, moved):
                after = [self._losses(objective, data) for data in (batch, validation_batch)]
            falls.append((before - torch.stack(after)) / before.abs())
        train, validation = map(_off_diagonal, torch.stack(falls, dim=1))
        found = Affinity(train=train, validation=validation, angles=angles(matrix.gram))
        for name, values in self._seen.items():
            values.append(getattr(found, name))
        return found

    def median(self) -> Affinity:
        """Return the median of each entry over all observations.

        Observations in which an entry is NaN are left out of it.

        Raises:
            MethodError: There are no observations.
        """
        if not self._seen["train"]:
            raise MethodError("There is no median of no observations: call `observe` first.")
        return Affinity(
            **{name: torch.stack(x).nanquantile(0.5, dim=0) for name, x in self._seen.items()}
        )

    def _losses(self, objective: Objective, batch: Any) -> Tensor:
        with torch.no_grad():
            losses = objective.losses(batch, self.tasks)
        self._check(losses)
        return detached(losses)

    def _check(self, losses: Sequence[Tensor]) -> None:
        named = zip(self.tasks, (loss.item() for loss in losses), strict=False)
        if broken := {task: loss for task, loss in named if not abs(loss) < float("inf")}:
            raise NonFiniteLossError(broken, len(self._seen["train"]))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {name: list(values) for name, values in self._seen.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._seen = {name: list(state[name]) for name in self._seen}


def angles(gram: Tensor) -> Tensor:
    """Return the angles in [rad] between gradients with inner products (T, T), (T, T).

    NaN on the diagonal and where a gradient vanishes.
    """
    norms = gram.diagonal().sqrt()
    return _off_diagonal((gram / norms.outer(norms)).clamp(-1, 1).acos())


def enumeration(
    tasks: Sequence[str], train: Callable[[tuple[str, ...]], Mapping[str, float]]
) -> Tensor:
    """Return what training a target along with a source gains over training it alone, (T, T).

    (A_t^{s,t} - A_t^{t}) / |A_t^{t}|: the actual relationships of Figure 3, whose signs choose the
    self-auxiliaries of SAAL_e (Eq. 5). Infinite where a target alone comes to 0 and gains, NaN
    where it then stays at 0.

    Args:
        tasks: Names of the T tasks.
        train: Trains a model of these tasks from scratch, and returns the performance A of each;
            more is better, so errors are to be negated. It is called for every task alone and
            every pair, T (T + 1) / 2 times in all.
    """
    alone = torch.tensor([train((task,))[task] for task in tasks], dtype=torch.float64)
    along = torch.full((len(tasks), len(tasks)), torch.nan, dtype=torch.float64)
    for first, second in combinations(range(len(tasks)), 2):
        pair = train((tasks[first], tasks[second]))
        along[first, second] = pair[tasks[second]]
        along[second, first] = pair[tasks[first]]
    return (along - alone) / alone.abs()


def feature_similarity(tasks: Sequence[str], transfer: Callable[[str, str], float]) -> Tensor:
    """Return how well each target can be predicted from what each source has learned, (T, T).

    Args:
        tasks: Names of the T tasks.
        transfer: transfer(source, target) trains a network on the source, freezes its encoder,
            trains a small network from there to the target, and returns its performance on it;
            more is better.
    """
    found = [[torch.nan if s == t else transfer(s, t) for t in tasks] for s in tasks]
    return torch.tensor(found, dtype=torch.float64)


def helpful(gain: Tensor, tasks: Sequence[str]) -> dict[str, list[str]]:
    """Return the sources that each target gains from, gain > 0 (Eq. 5)."""
    return {
        target: [source for s, source in enumerate(tasks) if gain[s, t] > 0]
        for t, target in enumerate(tasks)
    }


def from_self_auxiliaries(weights: Mapping[str, float], tasks: Sequence[str]) -> Tensor:
    """Return the weights of a SAAL run as a relationship (T, T).

    Normalised ones do as well as omega itself: within a target, ranks are the same.

    Args:
        weights: Weight of each task and self-auxiliary "source->target", such as those of a
            record. A transfer that is not there counts as 0, as the run had none of it.
        tasks: Names of the T real tasks.
    """
    found = [[weights.get(f"{source}{ARROW}{target}", 0.0) for target in tasks] for source in tasks]
    return _off_diagonal(torch.tensor(found, dtype=torch.float64))


def from_auxiliary_runs(weights: Mapping[str, Mapping[str, float]], tasks: Sequence[str]) -> Tensor:
    """Return the weights of T runs of auxiliary learning as a relationship (T, T).

    Args:
        weights: For each task, the weights of all tasks in the run with that one as the primary
            task, such as Auto-lambda's (Liu et al. 2022, section 6).
        tasks: Names of the T tasks.

    Raises:
        UnknownTaskError: A run, or a task's weight in one, is missing.
    """
    missing = [t for t in tasks if t not in weights or not set(tasks) <= set(weights[t])]
    if missing:
        raise UnknownTaskError(missing, tuple(weights))
    found = [[weights[target][source] for target in tasks] for source in tasks]
    return _off_diagonal(torch.tensor(found, dtype=torch.float64))


def _off_diagonal(values: Tensor) -> Tensor:
    return values.clone().fill_diagonal_(torch.nan)
