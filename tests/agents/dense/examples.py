"""Small benchmarks and batches of random labels."""

import numpy as np
import torch
import torch.nn.functional as F

from robomtl.agents.dense import DenseBatch
from robomtl.data.scenes import CLASSES, SceneImages, Scenes

SMALL = (4, 8, 8, 8)  # widths of a network that is quick to run


def random_batch(seed=0, count=3, size=16, classes=4, dtype=torch.float32):
    """A batch in which every fifth pixel or so has no label."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(shape, generator=generator, dtype=dtype)

    unknown = uniform(count, 1, size, size) < 0.2
    normals = F.normalize(uniform(count, 3, size, size) - 0.5, dim=1)
    labels = torch.randint(0, classes, (count, size, size), generator=generator)
    return DenseBatch(
        image=uniform(count, 3, size, size) * 2 - 1,
        segmentation=labels.masked_fill(unknown[:, 0], -1),
        depth=(uniform(count, 1, size, size) + 0.5).masked_fill(unknown, 0),
        normals=normals.masked_fill(unknown, 0),
        noise=uniform(count, 1, size, size),
    )


def random_scenes(train=10, validation=2, test=3, size=16, seed=0):
    """A benchmark of blocks, whose class, depth and colour are all the same number."""
    rng = np.random.default_rng(seed)
    splits = {}
    for split, count in (("train", train), ("validation", validation), ("test", test)):
        shape = (count, size, size)
        blocks = rng.integers(0, len(CLASSES), (count, size // 4, size // 4), dtype=np.int8)
        labels = np.kron(blocks, np.ones((1, 4, 4), np.int8))
        normals = rng.normal(size=(*shape, 3))
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        splits[split] = SceneImages(
            rgb=np.repeat(10 * labels.astype(np.uint8)[..., None], 3, axis=-1),
            segmentation=labels,
            depth=1 + labels.astype(np.float32),
            normals=normals.astype(np.float16),
        )
    return Scenes(splits=splits, recipe={"seed": seed})
