"""Training batches from a keyframe dataset in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from robomtl.agents.augmentation import AugmentationConfig, vary_colours
from robomtl.agents.batch import Batch, Inputs
from robomtl.agents.exceptions import BatchError
from robomtl.data.point_cloud import point_cloud


@runtime_checkable
class Sampler(Protocol):
    """Chooses which of a task's samples a batch holds."""

    def draw(
        self, task: str, size: int, count: int, *, batch: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw `count` of the `size` samples of `task` for batch number `batch`.

        Returns:
            Numbers of the samples, (count,) int64, and what the loss of each is to be multiplied
            by, (count,) float32.
        """
        ...


class Uniform:
    """Draws every sample of a task with the same probability, with replacement."""

    def draw(
        self, task: str, size: int, count: int, *, batch: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return numbers of samples, (count,) int64, and weights of 1."""
        return (torch.rand(count, generator=generator) * size).long(), torch.ones(count)


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Which samples a batch will hold.

    Attributes:
        task: Index of each sample's task, (B,) int64.
        sample: Number of each sample among those of its task, (B,) int64.
        importance: What each sample's loss is multiplied by, (B,) float32.
        state: Of the generator that augmentation goes on with.
    """

    task: torch.Tensor
    sample: torch.Tensor
    importance: torch.Tensor
    state: torch.Tensor


def check_batch_size(batch_size: int, tasks: Sequence[str]) -> None:
    """Refuse batches that are smaller than the number of tasks.

    Raises:
        BatchError: They are.
    """
    if batch_size < len(tasks):
        raise BatchError(
            f"A batch of {batch_size} cannot hold all {len(tasks)} tasks; "
            f"give a batch size of {len(tasks)} or more."
        )


class KeyframeBatches:
    """Stratified random batches; `batches[i]` depends on the seed and on i alone.

    Every batch holds samples of every task, sorted by task: batch_size // K of each, and what is
    left over goes round. Within a task every sample is equally likely. Because a batch is a
    function of its number, a run can be resumed, and batches be made ahead of time, without any
    state to keep. A sampler that learns from the losses has a state: `draw` asks it, which takes
    no time, and `batch` does the rest, which may run beside the training step.

    Args:
        data: Arrays with one row per sample, as `KeyframeDataset.load()` returns them.
        tasks: Names of the tasks, which the column `task` indexes.
        cameras: Cameras to use, in the network's order.
        batch_size: Samples in a batch, at least one for each task.
        seed: Seed of everything random here.
        augmentation: What to vary.

    Raises:
        BatchError: A task has no samples, or the batch is too small.
    """

    def __init__(
        self,
        data: Mapping[str, np.ndarray],
        tasks: Sequence[str],
        *,
        cameras: Sequence[str],
        batch_size: int,
        seed: int,
        augmentation: AugmentationConfig,
    ) -> None:
        check_batch_size(batch_size, tasks)
        self.rows = [np.flatnonzero(data["task"] == k) for k in range(len(tasks))]
        for task, rows in zip(tasks, self.rows, strict=True):
            if not len(rows):
                raise BatchError(f"The dataset has no samples of task {task!r}.")
        self.data = data
        self.tasks = tuple(tasks)
        self.cameras = tuple(cameras)
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = augmentation
        self.stages = tuple(int(data["stage"][rows].max()) + 1 for rows in self.rows)

    def counts(self, iteration: int) -> np.ndarray:
        """Return how many samples of each task batch number `iteration` holds, (K,)."""
        each, extra = divmod(self.batch_size, len(self.tasks))
        counts = np.full(len(self.tasks), each)
        counts[(iteration * extra + np.arange(extra)) % len(self.tasks)] += 1
        return counts

    def __getitem__(self, iteration: int) -> Batch:
        """Return batch number `iteration`, drawn uniformly and augmented."""
        return self.batch(self.draw(iteration, Uniform()))

    def draw(self, iteration: int, sampler: Sampler) -> Draw:
        """Return the samples that `sampler` chooses for batch number `iteration`."""
        entropy = np.random.SeedSequence((self.seed, iteration)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(entropy))
        counts = self.counts(iteration)
        drawn = [
            sampler.draw(task, len(rows), int(n), batch=iteration, generator=generator)
            for task, rows, n in zip(self.tasks, self.rows, counts, strict=True)
        ]
        samples, importance = zip(*drawn, strict=True)
        return Draw(
            task=torch.from_numpy(np.repeat(np.arange(len(self.tasks)), counts)),
            sample=torch.cat(samples),
            importance=torch.cat(importance),
            state=generator.get_state(),
        )

    def batch(self, draw: Draw) -> Batch:
        """Return the drawn samples, augmented."""
        generator = torch.Generator()
        generator.set_state(draw.state)
        pairs = zip(draw.task.tolist(), draw.sample.tolist(), strict=True)
        rows = np.array([self.rows[task][sample] for task, sample in pairs])
        data, config = self.data, self.augmentation
        shape = (len(rows), len(self.cameras), 2)
        shifts = torch.randint(-config.shift, config.shift + 1, shape, generator=generator)
        rgb, cloud = self._images(rows, shifts.numpy())
        pose = torch.from_numpy(data["gripper_pose"][rows]).float()
        pose[:, :3] += config.proprioception * torch.randn(len(rows), 3, generator=generator)
        return Batch(
            inputs=Inputs(
                rgb=vary_colours(rgb, config, generator),
                cloud=cloud,
                gripper_pose=pose,
                gripper_open=torch.from_numpy(data["gripper_open"][rows]).float(),
                task=draw.task,
                stage=torch.from_numpy(data["stage"][rows]),
            ),
            action=torch.from_numpy(data["action"][rows]).float(),
            symmetry=torch.from_numpy(data["symmetry"][rows]),
            jitter=config.jitter * torch.randn(len(rows), 3, generator=generator),
            sample=draw.sample,
            importance=draw.importance,
        )

    def _images(self, rows: np.ndarray, shifts: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return shifted colours in [0, 1] and world points, each (B, C, H, W, 3) float32.

        Moving an image by (dy, dx) pixels moves its principal point along, so that every pixel
        keeps its world point.
        """
        rgb, cloud = [], []
        for number, camera in enumerate(self.cameras):
            moves = shifts[:, number]
            intrinsics = self.data[f"{camera}_camera_intrinsics"][rows].astype(np.float32)
            intrinsics[:, 0, 2] += moves[:, 1]
            intrinsics[:, 1, 2] += moves[:, 0]
            depth = _shifted(self.data[f"{camera}_depth"][rows], moves)
            extrinsics = self.data[f"{camera}_camera_extrinsics"][rows].astype(np.float32)
            rgb.append(torch.from_numpy(_shifted(self.data[f"{camera}_rgb"][rows], moves)))
            cloud.append(
                point_cloud(*(torch.from_numpy(x) for x in (depth, intrinsics, extrinsics)))
            )
        return torch.stack(rgb, dim=1) / 255, torch.stack(cloud, dim=1)


def _shifted(images: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Move images (B, H, W, ...) down and right by `moves` (B, 2); edges are repeated."""
    moved = np.empty_like(images)
    for target, image, (dy, dx) in zip(moved, images, moves, strict=True):
        height, width = image.shape[:2]
        top, left = max(dy, 0), max(dx, 0)
        bottom, right = min(height + dy, height), min(width + dx, width)
        target[top:bottom, left:right] = image[top - dy : bottom - dy, left - dx : right - dx]
        target[top:bottom, :left] = target[top:bottom, left : left + 1]
        target[top:bottom, right:] = target[top:bottom, right - 1 : right]
        target[:top] = target[top]
        target[bottom:] = target[bottom - 1]
    return moved
