"""The keyframe network: three RGB-D cameras in, the next gripper keyframe out.

After Auto-lambda (Liu et al. 2022), Appendix B: an encoder-decoder over RGB and point clouds, a
learned task embedding at the bottleneck, attention over pixels with a spatial soft-argmax over
the point clouds, a learned position offset for each stage of a task, and a second decoder that
regresses rotation and gripper. The paper leaves the rest open; ours is:

- one softmax over the pixels of all cameras *and* the gripper's own position, so that "straight
  up from here" has something to hold on to; points outside the workspace get no attention;
- the second decoder looks at a full-resolution crop of each camera around the attended point,
  in coordinates relative to it, and also corrects the position by a few centimetres;
- several candidate rotations with scores, since a single regression must tear somewhere on
  the circle of yaws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robomtl.agents.batch import Inputs
from robomtl.agents.blocks import ConvBlock, Up, mlp
from robomtl.agents.exceptions import UnsuitableImagesError, UnsuitableSettingError
from robomtl.agents.ranges import check_counts, check_positive
from robomtl.agents.rotation import quaternion_from_axes
from robomtl.agents.task_table import TaskTable
from robomtl.agents.zoom import crop_around

IMAGE_MULTIPLE = 16
"""Width and height of images are multiples of so many pixels, of which the bottleneck has one."""

_CROP_MULTIPLE = 8  # pixels of a crop to one that the second decoder sees


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Sizes of the network; everything here is our choice, the paper gives none.

    Raises:
        UnsuitableSettingError: A number makes no sense, or the workspace has no room.
    """

    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    """Channels at a half, quarter, eighth and sixteenth of the image's resolution."""
    embedding: int = 64
    """Width of the task, stage and camera embeddings."""
    condition: int = 128
    """Width of the vector that conditions the network on task, stage and proprioception."""
    crop: int = 32
    """Side in pixels of the square each camera gives to the second decoder, a multiple of 8."""
    crop_radius: float = 0.15
    """Distance in [m] at which relative coordinates in a crop saturate."""
    rotations: int = 4
    """Number of candidate rotations."""
    workspace: tuple[tuple[float, float, float], tuple[float, float, float]] = (
        (-0.30, -0.68, 0.70),
        (0.80, 0.68, 1.76),
    )
    """Corners in [m] of the box that can be attended: RLBench's, with a small margin."""

    def __post_init__(self) -> None:
        if self.crop < _CROP_MULTIPLE or self.crop % _CROP_MULTIPLE:
            raise UnsuitableSettingError(
                "crop", f"a multiple of {_CROP_MULTIPLE}, {_CROP_MULTIPLE} or more", self.crop
            )
        check_counts(self, "widths", "embedding", "condition", "rotations")
        check_positive(self, "crop_radius")
        sides = zip(*self.workspace, strict=True)
        if not all(-math.inf < low < high < math.inf for low, high in sides):
            raise UnsuitableSettingError(
                "workspace", "two corners, the lower one first", self.workspace
            )


def check_image_size(height: int, width: int, config: NetworkConfig) -> None:
    """Refuse images that a network of these sizes cannot look at.

    Raises:
        UnsuitableImagesError: They cannot be halved four times, or a crop does not fit into them.
    """
    least = -(-config.crop // IMAGE_MULTIPLE) * IMAGE_MULTIPLE
    if height % IMAGE_MULTIPLE or width % IMAGE_MULTIPLE or min(height, width) < least:
        raise UnsuitableImagesError(height, width, IMAGE_MULTIPLE, least)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the network says about B samples.

    Attributes:
        position: Gripper position in [m], (B, 3).
        anchor: Attended point in [m], before the offset, (B, 3).
        offset: Learned offset of the sample's task and stage in [m], (B, 3).
        points: What can be attended, (B, P, 3) in [m]: pixels camera by camera, row by row, then
            the gripper's own position.
        logits: Attention logits over `points`, (B, P); -inf outside the workspace.
        rotations: Candidate unit quaternions xyzw, (B, M, 4).
        scores: Logits over candidates, (B, M).
        gripper: Logit of "open", (B,).
    """

    position: Tensor
    anchor: Tensor
    offset: Tensor
    points: Tensor
    logits: Tensor
    rotations: Tensor
    scores: Tensor
    gripper: Tensor


class KeyframeNetwork(nn.Module):
    """Predicts the next keyframe of any of its tasks.

    Args:
        stages: Number of keyframes of each task, in task order.
        cameras: Number of cameras.
        config: Sizes.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self, stages: Sequence[int], cameras: int = 3, config: NetworkConfig | None = None
    ) -> None:
        super().__init__()
        self.config = config = config or NetworkConfig()
        self.stages = tuple(stages)
        self.cameras = cameras
        low, high = torch.tensor(config.workspace, dtype=torch.float32)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)

        a, b, c, d = config.widths
        z = config.condition
        self.table = TaskTable(stages, config.embedding)
        self.camera_embedding = nn.Embedding(cameras, z)
        nn.init.normal_(self.camera_embedding.weight, std=0.5)
        self.condition = mlp(2 * config.embedding + 8, z, z)

        self.stem = ConvBlock(6, a, kernel=5, stride=2)
        self.enter = ConvBlock(a, a)
        self.down1 = nn.Sequential(ConvBlock(a, b, stride=2), ConvBlock(b, b))
        self.down2 = nn.Sequential(ConvBlock(b, c, stride=2), ConvBlock(c, c))
        self.down3 = ConvBlock(c, d, stride=2)
        self.exchange = mlp(cameras * d + z, 2 * z, z)
        self.bottleneck = ConvBlock(d, d, condition=z)
        self.up2 = Up(d, c, c, z)
        self.up1 = Up(c, b, b, z)
        self.up0 = Up(b, a, a, 0)
        self.query = nn.Linear(z, a + 1)

        # No norms here: they would wash out how far points are from the attended one.
        self.zoom = nn.Sequential(
            *(nn.Conv2d(6, 32, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(64, d, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(d, d, 3, padding=1), nn.ReLU()),
            nn.AvgPool2d(2),
        )
        side = config.crop // _CROP_MULTIPLE
        self.flatten = nn.Linear(d * side * side, d)
        self.head = mlp(cameras * d + 2 * z + 8 + 3, 256, 256, 3 + 1 + 7 * config.rotations)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, inputs: Inputs, jitter: Tensor | None = None) -> Prediction:
        """Predict the next keyframe.

        Args:
            inputs: B samples of C cameras; H and W must be multiples of 16, and `crop` or more.
            jitter: Displacement (B, 3) in [m] of where the second decoder looks, which it then has
                to undo: in training, the attention is better than it will be on new scenes.

        Raises:
            UnsuitableImagesError: H or W is not.
        """
        batch, cameras, height, width = inputs.rgb.shape[:4]
        check_image_size(height, width, self.config)
        images = torch.cat((inputs.rgb * 2 - 1, self._normalise(inputs.cloud)), dim=-1)
        images = images.flatten(0, 1)
        proprio = torch.cat(
            (
                self._normalise(inputs.gripper_pose[:, :3]),
                inputs.gripper_pose[:, 3:],
                inputs.gripper_open[:, None] * 2 - 1,
            ),
            dim=-1,
        )
        embedding, offset = self.table(inputs.task, inputs.stage)
        condition = self.condition(torch.cat((embedding, proprio), dim=-1))

        features, summary = self._encode_decode(images.permute(0, 3, 1, 2), condition, cameras)
        points = inputs.cloud[:, :, ::2, ::2].flatten(1, 3)
        points = torch.cat((points, inputs.gripper_pose[:, None, :3]), dim=1)
        with torch.autocast(images.device.type, enabled=False):
            condition, summary = condition.float(), summary.float()
            logits = self._attention(features, condition + summary, points)
            anchor = (logits.softmax(-1)[..., None] * points).sum(1)

        centre = anchor if jitter is None else anchor + jitter
        crops = crop_around(
            images, inputs.cloud, centre, size=self.config.crop, radius=self.config.crop_radius
        )
        local = self.flatten(self.zoom(crops).permute(0, 2, 3, 1).flatten(1))
        with torch.autocast(images.device.type, enabled=False):
            hidden = F.relu(local.float()).reshape(batch, -1)
            hidden = torch.cat(
                (hidden, condition, summary, proprio, self._normalise(centre.detach())), dim=-1
            )
            out = self.head(hidden)
            residual, gripper, scores, axes = out.split(
                (3, 1, self.config.rotations, 6 * self.config.rotations), dim=-1
            )
            return Prediction(
                position=centre + offset + 0.1 * residual,
                anchor=anchor,
                offset=offset,
                points=points,
                logits=logits,
                rotations=quaternion_from_axes(axes.unflatten(-1, (-1, 6))),
                scores=scores,
                gripper=gripper[:, 0],
            )

    def _encode_decode(
        self, images: Tensor, condition: Tensor, cameras: int
    ) -> tuple[Tensor, Tensor]:
        """Return features (B*C, channels, H/2, W/2) and a summary (B, condition) of all cameras."""
        x0 = self.enter(self.stem(images))
        x1 = self.down1(x0)
        x2 = self.down2(x1)
        x = self.down3(x2)
        pooled = x.mean((2, 3)).reshape(-1, cameras * x.shape[1])
        summary = self.exchange(torch.cat((pooled, condition.to(pooled.dtype)), dim=-1))
        which = torch.arange(cameras, device=images.device).expand(len(condition), cameras)
        per_camera = ((condition + summary)[:, None] + self.camera_embedding(which)).flatten(0, 1)
        x = self.bottleneck(x, per_camera)
        x = self.up2(x, x2, per_camera)
        x = self.up1(x, x1, per_camera)
        return self.up0(x, x0), summary

    def _attention(self, features: Tensor, condition: Tensor, points: Tensor) -> Tensor:
        """Return logits (B, P) of all pixels and of the gripper's own position."""
        query, bias = self.query(condition).split((features.shape[1], 1), dim=-1)
        pixels = features.permute(0, 2, 3, 1).reshape(len(query), -1, features.shape[1])
        logits = (pixels.float() @ query[..., None]).squeeze(-1)
        inside = ((points[:, :-1] > self.low) & (points[:, :-1] < self.high)).all(-1)
        logits = logits.masked_fill(~inside, -torch.inf)
        return torch.cat((logits, bias), dim=-1)

    def _normalise(self, points: Tensor) -> Tensor:
        """Map the workspace to [-1, 1]; points far outside are pulled in to 1.5."""
        return ((points - self.low) / (self.high - self.low) * 2 - 1).clamp(-1.5, 1.5)
