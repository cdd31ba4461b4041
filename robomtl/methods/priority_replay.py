"""Priority replay: samples with a high loss are seen more often (Schaul et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from robomtl.methods.combination import Combination
from robomtl.methods.exceptions import UnsuitableObjectiveError
from robomtl.methods.objective import Objective
from robomtl.methods.record import Record
from robomtl.methods.weightings import Constant


class SampleLosses(NamedTuple):
    """Which of a task's samples a batch held, and the loss of each.

    Attributes:
        samples: Numbers of the samples among those of the task, (n,) int64.
        losses: Their losses, without importance weights and without gradient, (n,).
    """

    samples: Tensor
    losses: Tensor


@runtime_checkable
class SampledObjective(Protocol):
    """An objective that knows which samples of a data set its losses come from.

    It multiplies each sample's loss by the importance weight that came with it, before it takes
    the mean over a task's samples.
    """

    def sample_losses(self) -> dict[str, SampleLosses]:
        """Return what the last call of `losses` found, by task."""
        ...


class PriorityReplay:
    """Equal weighting over batches in which each task draws its own samples by their loss.

    Schaul et al., Prioritized Experience Replay (ICLR 2016), sections 3.3 and 3.4, proportional,
    for each task by itself, as the baseline of Auto-lambda is (Liu et al. 2022, section 5.3):

        P(i) = p_i^alpha / sum_k p_k^alpha,   p_i = |L_i| + epsilon
        w_i = (N P(i))^(-beta) / max_j w_j

    P(i) is how likely sample i of the task's N is, and w_i, which its loss is multiplied by, makes
    up for that in part; the losses on record carry it. A sample that has not been seen yet has
    the highest priority that any has. Draws are spread as in the paper's appendix B.2.1: one from
    each of n equal shares of the whole probability.

    alpha, and beta that rises linearly from 0.4 to 1, are the paper's for Atari; Auto-lambda gives
    none. Our choices: the loss stands in for the temporal-difference error; beta reaches 1 after
    8,000 steps, the length of Auto-lambda's runs; the largest weight is that of all N samples, so
    that the others in a batch do not matter; epsilon.

    Whoever makes the batches asks `draw` for samples. The losses of step i, counted from 0, come
    into force for batch i + 2, so that batch i + 1 can be made while step i is under way, and a
    resumed run draws the same.

    Args:
        tasks: Names of the K tasks.
        alpha: How much priorities count; 0 is uniform.
        beta: How much importance weights count at first.
        beta_steps: Steps until beta is 1.
        epsilon: What keeps samples without loss from being forgotten, in units of the loss.
    """

    uses_validation = False

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        alpha: float = 0.6,
        beta: float = 0.4,
        beta_steps: int = 8000,
        epsilon: float = 0.01,
    ) -> None:
        self.tasks = tuple(tasks)
        self.alpha = alpha
        self.beta = beta
        self.beta_steps = beta_steps
        self.epsilon = epsilon
        count = len(self.tasks)
        self._equal = Combination(
            tasks, Constant(torch.full((count,), 1 / count, dtype=torch.float64))
        )
        # Last known loss of each sample; infinite until there is one.
        self._losses: dict[str, Tensor] = {}
        self._news: dict[str, SampleLosses] = {}

    def draw(
        self, task: str, size: int, count: int, *, batch: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw samples of a task, with replacement.

        Args:
            task: Its name.
            size: N, how many samples it has.
            count: How many to draw.
            batch: Number of the batch, which must not be more than one ahead of the steps done.
            generator: Where randomness comes from.

        Returns:
            Numbers of the samples, (count,) int64, and their importance weights, (count,) float32.

        Raises:
            UnsuitableObjectiveError: The task had another number of samples before.
        """
        if batch > self._equal.step:
            self._settle()
        losses = self._known(task, size)
        unseen = losses.isinf()
        priority = losses.abs() + self.epsilon
        highest = 1.0 if unseen.all() else priority[~unseen].max()
        scaled = torch.where(unseen, highest, priority) ** self.alpha
        shares = torch.arange(count, dtype=torch.float64)
        shares += torch.rand(count, generator=generator, dtype=torch.float64)
        ends = scaled.cumsum(0)
        samples = torch.searchsorted(ends, shares * (ends[-1] / count), right=True)
        samples.clamp_(max=size - 1)  # rounding may end a share beyond the last sample
        beta = min(1.0, self.beta + (1 - self.beta) * batch / self.beta_steps)
        return samples, (scaled.min() / scaled[samples]).pow(beta).float()

    def backward(self, objective: Objective, batch: Any, validation_batch: Any = None) -> Record:
        """Set every parameter's `.grad` to that of the mean loss, and note each sample's loss.

        Args:
            objective: The problem: multi-domain, with `sample_losses`.
            batch: What the objective computes its losses from.
            validation_batch: Not used.

        Raises:
            NonFiniteLossError: A loss is NaN or infinite.
            NonFiniteGradientError: A gradient is.
            UnsuitableObjectiveError: Its tasks share their samples, or it does not know them, or
                the batch was not drawn by this method.
        """
        if not objective.multi_domain or not isinstance(objective, SampledObjective):
            raise UnsuitableObjectiveError(
                "Priority replay draws samples for each task, so it needs tasks that have samples "
                "of their own, and an objective with `sample_losses`."
            )
        if undrawn := [task for task in self.tasks if task not in self._losses]:
            raise UnsuitableObjectiveError(
                f"Priority replay has drawn no samples for {undrawn}: batches must come from its "
                "`draw`."
            )
        record = self._equal.backward(objective, batch)
        self._settle()
        self._news = {
            task: SampleLosses(samples.cpu(), losses.cpu().double())
            for task, (samples, losses) in objective.sample_losses().items()
        }
        return record

    def _settle(self) -> None:
        """Let the losses of the last step come into force."""
        for task, (samples, losses) in self._news.items():
            # A sample that was drawn more than once gets the mean.
            self._losses[task].scatter_reduce_(0, samples, losses, "mean", include_self=False)
        self._news = {}

    def _known(self, task: str, size: int) -> Tensor:
        if task not in self._losses:
            self._losses[task] = torch.full((size,), torch.inf, dtype=torch.float64)
        known = self._losses[task]
        if len(known) != size:
            raise UnsuitableObjectiveError(
                f"Task {task!r} has {size} samples now, and had {len(known)} before."
            )
        return known

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {
            "equal": self._equal.state_dict(),
            "losses": {task: losses.clone() for task, losses in self._losses.items()},
            "news": {task: news._asdict() for task, news in self._news.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._equal.load_state_dict(state["equal"])
        self._losses = {task: losses.cpu().clone() for task, losses in state["losses"].items()}
        self._news = {
            task: SampleLosses(news["samples"].cpu(), news["losses"].cpu())
            for task, news in state["news"].items()
        }
