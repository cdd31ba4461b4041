"""What a keyframe network is given: inputs alone when acting, with labels when learning."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the policy sees: B samples, C cameras, H x W images.

    Attributes:
        rgb: Colours in [0, 1], (B, C, H, W, 3) float32.
        cloud: World point of every pixel in [m], (B, C, H, W, 3) float32.
        gripper_pose: Current gripper pose, (B, 7): x y z in [m], quaternion xyzw.
        gripper_open: 1 where the gripper is open, 0 where closed, (B,).
        task: Index of the sample's task, (B,) int64.
        stage: Index of the keyframe to predict within its demonstration, (B,) int64.
    """

    rgb: Tensor
    cloud: Tensor
    gripper_pose: Tensor
    gripper_open: Tensor
    task: Tensor
    stage: Tensor

    def to(self, device: torch.device | str) -> Inputs:
        """Return the same inputs on `device`."""
        return Inputs(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def rows(self, which: Tensor) -> Inputs:
        """Return the samples numbered `which`."""
        return Inputs(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs with the keyframe to imitate.

    Attributes:
        inputs: What the policy sees.
        action: The next keyframe, (B, 8): x y z in [m], quaternion xyzw, gripper open (0 or 1).
        symmetry: Order n of the rotational symmetry of that keyframe about the gripper's
            approach axis, (B,) int64: turning the gripper by 2 pi / n makes no difference.
        jitter: Displacement in [m] of where the network takes its second look, (B, 3).
        sample: Number of the sample among those of its task, (B,) int64.
        importance: What the sample's loss is multiplied by, (B,) float32: 1 unless samples were
            drawn with a preference that this makes up for.
    """

    inputs: Inputs
    action: Tensor
    symmetry: Tensor
    jitter: Tensor
    sample: Tensor
    importance: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """Return the same batch on `device`."""
        return Batch(
            inputs=self.inputs.to(device),
            action=self.action.to(device),
            symmetry=self.symmetry.to(device),
            jitter=self.jitter.to(device),
            sample=self.sample.to(device),
            importance=self.importance.to(device),
        )

    def rows(self, which: Tensor) -> Batch:
        """Return the samples numbered `which`."""
        return Batch(
            inputs=self.inputs.rows(which),
            action=self.action[which],
            symmetry=self.symmetry[which],
            jitter=self.jitter[which],
            sample=self.sample[which],
            importance=self.importance[which],
        )
