"""Behaviour cloning of keyframes: what the network is punished for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robomtl.agents.batch import Batch
from robomtl.agents.network import KeyframeNetwork, Prediction
from robomtl.agents.ranges import check_not_negative, check_positive
from robomtl.agents.rotation import angle_between, symmetric_equivalents
from robomtl.methods.priority_replay import SampleLosses


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the terms and their scales. The paper states none; these are ours.

    Raises:
        UnsuitableSettingError: A weight is negative, or a scale not positive.
    """

    position: float = 20.0
    """Weight of the distance in [m] between predicted and demonstrated position."""
    attention: float = 1.0
    """Weight of the divergence in [nat] between attention and the points near the target."""
    rotation: float = 1.0
    """Weight of the rotation's negative log-likelihood in [nat]."""
    gripper: float = 1.0
    """Weight of the gripper's cross-entropy in [nat]."""
    sigma: float = 0.015
    """Width in [m] of the Gaussian around the target that attention should fill."""
    concentration: float = 30.0
    """Sharpness of the rotation's likelihood: an error a costs concentration * sin(a / 2)^2."""

    def __post_init__(self) -> None:
        check_not_negative(self, "position", "attention", "rotation", "gripper")
        check_positive(self, "sigma", "concentration")


def position_loss(prediction: Prediction, action: Tensor) -> Tensor:
    """Return the distance in [m] from prediction to label, rounded off below 5 mm, (B,)."""
    distance_squared = (prediction.position - action[:, :3]).square().sum(-1)
    rounding = 0.005
    return (distance_squared + rounding**2).sqrt() - rounding


def attention_loss(prediction: Prediction, action: Tensor, sigma: float) -> Tensor:
    """Return KL(q || attention) in [nat], (B,).

    With q = softmax(-|x - (target - offset)|^2 / (2 sigma^2)) over the points x. Where points lie
    near the target, q is a Gaussian around it. Where the target is in free air, q falls on the
    nearest points; the offset of that stage learns what remains, and as it does so, q moves to
    the points that a constant offset leads from to the target.
    """
    target = action[:, :3] - prediction.offset.detach()
    distance_squared = (prediction.points - target[:, None]).square().sum(-1)
    blocked = prediction.logits.isneginf()
    wanted = (-distance_squared / (2 * sigma**2)).masked_fill(blocked, -torch.inf)
    divergence = F.kl_div(
        prediction.logits.log_softmax(-1).masked_fill(blocked, 0),
        wanted.log_softmax(-1).masked_fill(blocked, -1e4),
        reduction="none",
        log_target=True,
    )
    return divergence.sum(-1)


def rotation_loss(
    prediction: Prediction, action: Tensor, symmetry: Tensor, concentration: float
) -> Tensor:
    """Return the negative log-likelihood of the label among the candidate rotations, (B,).

    A mixture of Bingham distributions, -log sum_m pi_m exp(-c sin^2(angle_m / 2)), where
    angle_m is between candidate m and the nearest of the label's symmetric equivalents. The sign
    of a quaternion does not matter.
    """
    labels = symmetric_equivalents(action[:, 3:7], symmetry)
    cosines = prediction.rotations @ labels.transpose(1, 2)
    squared_sine = 1 - cosines.square().amax(-1)
    return -(prediction.scores.log_softmax(-1) - concentration * squared_sine).logsumexp(-1)


def gripper_loss(prediction: Prediction, action: Tensor) -> Tensor:
    """Return the cross-entropy of the gripper's state in [nat], (B,)."""
    return F.binary_cross_entropy_with_logits(prediction.gripper, action[:, 7], reduction="none")


def best_rotation(prediction: Prediction) -> Tensor:
    """Return the candidate rotation of the highest score, (B, 4)."""
    best = prediction.scores.argmax(-1)
    return torch.take_along_dim(prediction.rotations, best[:, None, None], dim=1)[:, 0]


class CloningObjective:
    """K cloning losses of one network, as multi-task methods want to see them.

    Args:
        network: The policy's network.
        tasks: Names of its tasks, in its order.
        config: Weights of the terms.
        precision: "bf16" computes convolutions in bfloat16, "f32" everything in float32.

    """

    multi_domain = True

    def __init__(
        self,
        network: KeyframeNetwork,
        tasks: Sequence[str],
        config: LossConfig | None = None,
        precision: Literal["bf16", "f32"] = "f32",
    ) -> None:
        self.network = network
        self.tasks = tuple(tasks)
        self.config = config or LossConfig()
        self.precision = precision
        self._terms_seen: dict[str, Tensor] = {}
        self._sample_losses: dict[str, SampleLosses] = {}

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that all tasks use."""
        own = {id(p) for p in self.network.table.parameters()}
        return [p for p in self.network.parameters() if id(p) not in own]

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        """Return the embeddings and offsets of `task`."""
        return list(self.network.table.tasks[self.tasks.index(task)].parameters())

    def losses(self, batch: Batch, tasks: Sequence[str]) -> list[Tensor]:
        """Return the loss of each of `tasks`: the mean over that task's samples in the batch.

        Each sample's loss is multiplied by its importance.

        Raises:
            ValueError: The batch has no sample of some task.
        """
        batch = self._of(batch, tasks)
        numbers = torch.tensor([self.tasks.index(task) for task in tasks])
        position = torch.empty(len(self.tasks), dtype=torch.int64)
        position[numbers] = torch.arange(len(tasks))
        task = position.to(batch.action.device)[batch.inputs.task]
        counts = task.bincount(minlength=len(tasks))

        def mean_per_task(values: Tensor) -> Tensor:
            return values.new_zeros(len(tasks)).index_add(0, task, values) / counts

        device = batch.action.device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            prediction = self.network(batch.inputs, batch.jitter)
        terms = self._terms(prediction, batch)
        weighted = [getattr(self.config, name) * term for name, term in terms.items()]
        each = torch.stack(weighted).sum(0)
        self._sample_losses = {
            name: SampleLosses(batch.sample[own], each.detach()[own])
            for own, name in zip(torch.arange(len(task)).split(counts.tolist()), tasks, strict=True)
        }
        if not self._terms_seen:
            with torch.no_grad():
                seen = terms | self._errors(prediction, batch)
                self._terms_seen = {name: mean_per_task(values) for name, values in seen.items()}
        return list(mean_per_task(batch.importance * each).unbind())

    def take_terms(self) -> dict[str, Tensor]:
        """Return the mean of each unweighted term and error for each task, and forget them.

        They are those of the first call of `losses` since the last time: methods may call it
        again, on other batches. Name -> (K,) without gradient; errors are in [m] and [rad].
        """
        terms, self._terms_seen = self._terms_seen, {}
        return terms

    def sample_losses(self) -> dict[str, SampleLosses]:
        """Return each task's samples and their losses of the last call of `losses`."""
        return self._sample_losses

    def counts(self, batch: Batch, tasks: Sequence[str]) -> list[int]:
        """Return the number of samples of each of `tasks` in the batch."""
        counts = batch.inputs.task.bincount(minlength=len(self.tasks)).tolist()
        return [counts[self.tasks.index(task)] for task in tasks]

    def _of(self, batch: Batch, tasks: Sequence[str]) -> Batch:
        """Return the samples of `tasks`, in that order."""
        absent = [t for t, n in zip(tasks, self.counts(batch, tasks), strict=True) if n == 0]
        if absent:
            raise ValueError(f"The batch has no samples of: {absent}.")
        numbers = [self.tasks.index(task) for task in tasks]
        rows = torch.cat([(batch.inputs.task == number).nonzero()[:, 0] for number in numbers])
        every = torch.arange(len(batch.action), device=rows.device)
        return batch if rows.equal(every) else batch.rows(rows)

    def _terms(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        action, config = batch.action, self.config
        return {
            "position": position_loss(prediction, action),
            "attention": attention_loss(prediction, action, config.sigma),
            "rotation": rotation_loss(prediction, action, batch.symmetry, config.concentration),
            "gripper": gripper_loss(prediction, action),
        }

    def _errors(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        labels = symmetric_equivalents(batch.action[:, 3:7], batch.symmetry)
        angles = angle_between(best_rotation(prediction)[:, None], labels).amin(-1)
        distance = (prediction.position - batch.action[:, :3]).norm(dim=-1)
        return {"position_error": distance, "rotation_error": angles}
