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
from robomtl.agents.rotation import angle_between, symmetric_equivalents


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the terms and their scales. The paper states none; these are ours."""

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

    Attributes:
        terms: Of the last call of `losses`, the mean of each unweighted term and error for each
            task, name -> (K,) without gradient. Errors are in [m] and [rad].
    """

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
        self.terms: dict[str, Tensor] = {}

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that all tasks use."""
        own = {id(p) for p in self.network.table.parameters()}
        return [p for p in self.network.parameters() if id(p) not in own]

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        """Return the embeddings and offsets of `task`."""
        return list(self.network.table.tasks[self.tasks.index(task)].parameters())

    def losses(self, batch: Batch) -> list[Tensor]:
        """Return each task's loss: the mean over that task's samples in the batch.

        Raises:
            ValueError: The batch has no sample of some task.
        """
        task = batch.inputs.task
        counts = task.bincount(minlength=len(self.tasks))
        if not counts.all():
            absent = [t for t, n in zip(self.tasks, counts.tolist(), strict=True) if n == 0]
            raise ValueError(f"The batch has no samples of: {absent}.")

        def mean_per_task(values: Tensor) -> Tensor:
            return values.new_zeros(len(self.tasks)).index_add(0, task, values) / counts

        device = batch.action.device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            prediction = self.network(batch.inputs, batch.jitter)
        terms = self._terms(prediction, batch)
        per_task = {name: mean_per_task(term) for name, term in terms.items()}
        weights = {name: getattr(self.config, name) for name in terms}
        total = torch.stack([weights[name] * per_task[name] for name in terms]).sum(0)
        with torch.no_grad():
            self.terms = {name: term.detach() for name, term in per_task.items()}
            for name, error in self._errors(prediction, batch).items():
                self.terms[name] = mean_per_task(error)
        return list(total.unbind())

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
