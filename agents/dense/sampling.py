"""Batches of scenes with their labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from robomtl.agents.dense.batch import DenseBatch
from robomtl.agents.dense.exceptions import BatchSizeError
from robomtl.data.scenes import Scenes


class SceneBatches:
    """Random training batches; `batches[i]` depends on seed, stream and i alone.

    Every epoch goes through the images in another order, and flips each left to right with
    probability a half. That is all the augmentation there is: the papers also scale and crop,
    which a benchmark that is rendered can do by moving the camera. What does not fill the last
    batch of an epoch is left out of it.

    Args:
        scenes: The benchmark, whose training images are used.
        batch_size: Images in a batch.
        seed: Seed of order and flips.
        stream: Number of an independent sequence of batches of the same images, such as those
            that task weights are validated on.

    Raises:
        BatchSizeError: There are fewer images than a batch needs.
    """

    def __init__(self, scenes: Scenes, *, batch_size: int, seed: int, stream: int = 0) -> None:
        self.images = len(scenes.splits["train"])
        if not 1 <= batch_size <= self.images:
            raise BatchSizeError(
                f"a batch of {batch_size} cannot be drawn from {self.images} training images; "
                f"give a batch size of 1 to {self.images}"
            )
        self.scenes = scenes
        self.batch_size = batch_size
        self.seed = seed
        self.stream = stream

    def __getitem__(self, iteration: int) -> DenseBatch:
        """Return batch number `iteration`."""
        epoch, number = divmod(iteration, self.images // self.batch_size)
        rng = np.random.default_rng([self.seed, self.stream, epoch])
        order, flips = rng.permutation(self.images), rng.random(self.images) < 0.5
        rows = order[number * self.batch_size : (number + 1) * self.batch_size]
        return dense_batch(self.scenes, "train", rows, flips[rows])


def dense_batch(
    scenes: Scenes,
    split: str,
    rows: Sequence[int] | NDArray[np.integer],
    flips: NDArray[np.bool_] | None = None,
) -> DenseBatch:
    """Return images of a split as a batch.

    Args:
        scenes: The benchmark.
        split: One of `robomtl.data.scenes.SPLITS`.
        rows: Which images, (B,).
        flips: Which of them to mirror left to right, (B,); the normals' x changes its sign.
    """
    images = scenes.splits[split]
    index = np.asarray(rows)
    random = np.stack([scenes.noise(split, int(row)) for row in index])
    maps = [images.rgb[index], images.segmentation[index], images.depth[index], random]
    normals = images.normals[index].astype(np.float32)
    if flips is not None:
        for values in (*maps, normals):
            values[flips] = values[flips, :, ::-1]
        normals[flips, ..., 0] *= -1
    rgb, segmentation, depth, noise = map(torch.from_numpy, maps)
    return DenseBatch(
        image=(rgb.float() / 127.5 - 1).permute(0, 3, 1, 2),
        segmentation=segmentation.long(),
        depth=depth[:, None],
        normals=torch.from_numpy(normals).permute(0, 3, 1, 2),
        noise=noise[:, None],
    )
