"""What there is to see of one demonstration or episode, before it is known how it will be shown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from robomtl.data import Demo, Observation, point_cloud
from robomtl.envs import TabletopEnv
from robomtl.progress import progress_bar

RATE: int = TabletopEnv.metadata["render_fps"]
"""Frames in a second of motion, RLBench's too: what its and our demonstrations are recorded at."""

REACH = 0.45
"""Metres around the gripper's path within which the point cloud is shown: no walls, no floor."""


@dataclass(frozen=True, kw_only=True)
class Footage:
    """One demonstration or episode, its pictures taken when they are asked for."""

    demo: Demo
    """Every frame without its pictures; an episode of a policy is kept in the same way."""
    cameras: tuple[str, ...]
    """Which cameras there are pictures of."""
    marked: tuple[int, ...]
    """Frames to mark, increasing."""
    mark: Literal["keyframe", "action"]
    """What they are: keyframes of a demonstration, or where the actions of an episode ended."""
    outcome: str
    """How it ended, in words."""
    observe: Callable[[int], Observation]
    """A frame with its pictures."""
    targets: Mapping[int, np.ndarray] = field(default_factory=dict)
    """By the frame at which a policy chose it: the gripper pose (7,) that it wanted."""

    @property
    def description(self) -> str:
        """The task in words, if there are any."""
        return self.demo.descriptions[0] if self.demo.descriptions else ""

    def shown(self, every: int) -> list[int]:
        """Every n-th frame, and the last one however far it is."""
        last = len(self.demo) - 1
        return [*range(0, last, every), last]

    def observations(self, frames: Sequence[int]) -> Iterator[tuple[int, Observation]]:
        """These frames, by their numbers, with their pictures; shows how far it is."""
        with progress_bar("frames", len(frames)) as advance:
            for frame in frames:
                yield frame, self.observe(frame)
                advance()

    def path(self) -> np.ndarray:
        """Where the gripper was, (T, 3) in [m]."""
        return self.demo.column("gripper_pose")[:, :3]

    def cloud(self, seen: Observation, side: int) -> tuple[np.ndarray, np.ndarray]:
        """What the cameras see, as points in the world near the gripper's path.

        Args:
            seen: A frame with its pictures.
            side: At most so many rows and columns of each camera's pixels become points.

        Returns:
            Points (N, 3) float32 in [m], and their colours (N, 3) uint8. None of a camera without
            depth.
        """
        points, colours = [np.empty((0, 3), np.float32)], [np.empty((0, 3), np.uint8)]
        for camera in self.cameras:
            if f"{camera}_depth" not in seen or f"{camera}_camera_extrinsics" not in seen:
                continue
            depth = seen[f"{camera}_depth"]
            cloud = point_cloud(
                depth, seen[f"{camera}_camera_intrinsics"], seen[f"{camera}_camera_extrinsics"]
            )
            step = -(-max(depth.shape) // side)
            points.append(cloud[::step, ::step].reshape(-1, 3))
            colours.append(seen[f"{camera}_rgb"][::step, ::step].reshape(-1, 3))
        cloud, colour = np.concatenate(points), np.concatenate(colours)
        path = self.path()
        low, high = path.min(axis=0) - REACH, path.max(axis=0) + REACH
        near = ((cloud > low) & (cloud < high)).all(axis=1)
        return cloud[near], colour[near]
