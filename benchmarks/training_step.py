"""How long a training step takes, how much of it waits for data, and how long an action takes.

    python -m benchmarks.training_step [--steps 30] [--threads 2]

The images are noise and the keyframes random: nothing here depends on what is learned.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from robomtl import methods
from robomtl.agents import (
    AugmentationConfig,
    CloningObjective,
    KeyframeBatches,
    KeyframeNetwork,
    KeyframePolicy,
)
from robomtl.allocator import keep_freed_memory

TASKS = tuple(f"task{k}" for k in range(10))
CAMERAS = ("left_shoulder", "right_shoulder", "wrist")


def noise(samples: int, size: int) -> dict[str, np.ndarray]:
    """Return a dataset of noise seen by three cameras that look straight down."""
    rng = np.random.default_rng(0)
    focal = -size / 0.73
    intrinsics = np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1]])
    extrinsics = np.array([[0, 1, 0, 0.25], [1, 0, 0, 0], [0, 0, -1, 1.98], [0, 0, 0, 1.0]])
    quaternions = rng.normal(size=(samples, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    positions = rng.uniform((0, -0.3, 0.75), (0.5, 0.3, 1.2), (samples, 3))
    poses = np.concatenate((positions, quaternions), axis=1)
    data = {
        "gripper_pose": poses,
        "gripper_open": np.ones(samples),
        "task": np.arange(samples) % len(TASKS),
        "stage": np.arange(samples) // len(TASKS) % 4,
        "action": np.concatenate((poses[::-1], np.ones((samples, 1))), axis=1),
        "symmetry": np.ones(samples, dtype=np.int64),
    }
    for camera in CAMERAS:
        shape = (samples, size, size)
        data[f"{camera}_rgb"] = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        data[f"{camera}_depth"] = rng.uniform(0.8, 1.2, shape).astype(np.float32)
        data[f"{camera}_camera_intrinsics"] = np.broadcast_to(intrinsics, (samples, 3, 3))
        data[f"{camera}_camera_extrinsics"] = np.broadcast_to(extrinsics, (samples, 4, 4))
    return data


def time_steps(batches: KeyframeBatches, network: KeyframeNetwork, steps: int) -> None:
    objective = CloningObjective(network, TASKS, precision="bf16")
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    method = methods.make("equal", TASKS)
    durations, waits = [], []
    with ThreadPoolExecutor(1) as maker:
        following = maker.submit(batches.__getitem__, 0)
        for i in range(steps + 3):
            started = time.perf_counter()
            batch = following.result()
            waited = time.perf_counter()
            following = maker.submit(batches.__getitem__, i + 1)
            method.backward(objective, batch)
            optimiser.step()
            durations.append(time.perf_counter() - started)
            waits.append(waited - started)
    durations, waits = durations[3:], waits[3:]
    print(f"training step, batch 32, 128 px: median {np.median(durations) * 1e3:.0f} ms")
    print(f"  fastest {min(durations) * 1e3:.0f} ms, slowest {max(durations) * 1e3:.0f} ms")
    print(f"  waiting for data: {sum(waits) / sum(durations):.1%} of the time")


def time_actions(data: dict[str, np.ndarray], network: KeyframeNetwork, repeats: int) -> None:
    policy = KeyframePolicy(network, TASKS, CAMERAS, 128)
    observation = {name: column[0] for name, column in data.items()} | {"timestep": 0}
    durations = []
    for _ in range(repeats + 3):
        started = time.perf_counter()
        policy.act(observation, TASKS[0])
        durations.append(time.perf_counter() - started)
    print(f"action from one observation: median {np.median(durations[3:]) * 1e3:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=30, help="steps to time")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    keep_freed_memory()  # as trainings do
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    data = noise(400, 128)
    batches = KeyframeBatches(
        data,
        TASKS,
        cameras=CAMERAS,
        batch_size=32,
        seed=0,
        augmentation=AugmentationConfig(),
    )
    network = KeyframeNetwork(batches.stages, len(CAMERAS))
    print(f"parameters: {sum(p.numel() for p in network.parameters()):,}")
    print(f"threads: {arguments.threads}")
    time_steps(batches, network, arguments.steps)
    time_actions(data, network, arguments.steps)


if __name__ == "__main__":
    main()
