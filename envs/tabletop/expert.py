"""The scripted expert: follows a task's waypoints and writes down what happens."""

from __future__ import annotations

import numpy as np

from robomtl.data.demo import Demo
from robomtl.data.observation import Observation
from robomtl.envs.exceptions import DemonstrationError, UnreachablePoseError
from robomtl.envs.tabletop.episode import Episode
from robomtl.envs.tabletop.poses import Array

_MAX_ATTEMPTS = 10
_STUCK = 0.03  # metres from a waypoint at which the arm must have been held up on its way
_SETTLING_FRAMES = 10  # how long a task may take to be done after the last waypoint, as in RLBench


def collect_demo(episode: Episode, variation: int, seed: int) -> Demo:
    """Record a successful demonstration.

    An attempt that fails is thrown away and followed by one with other random numbers; the demo
    says how many were needed. It is the same, to the bit, for the same task, variation and seed.

    Args:
        episode: Where it takes place.
        variation: Of the task.
        seed: Picks the demonstration.

    Returns:
        The demonstration, with simulator states.

    Raises:
        DemonstrationError: The expert failed ten times.
    """
    for attempt in range(_MAX_ATTEMPTS):
        episode.reset(variation, seed, attempt)
        try:
            recording = _Recording(episode)
            _follow_waypoints(episode, recording)
        except UnreachablePoseError:
            continue
        if episode.task.succeeded():
            return recording.demo(variation, seed, attempts=attempt + 1)
    raise DemonstrationError(
        f"the expert of {episode.task.name} (variation {variation}, seed {seed}) failed in "
        f"{_MAX_ATTEMPTS} attempts"
    )


class _Recording:
    """Frames as they come."""

    def __init__(self, episode: Episode) -> None:
        self._episode = episode
        self._observations: list[Observation] = []
        self._states: list[Array] = []
        self._symmetry: list[int] = []
        self.towards = 1
        self.add()

    def add(self) -> None:
        """Write down the present moment."""
        self._observations.append(self._episode.low_dim())
        self._states.append(self._episode.world.state())
        self._symmetry.append(self.towards)

    def demo(self, variation: int, seed: int, attempts: int) -> Demo:
        """What was written down."""
        columns = {
            name: np.stack([observation[name] for observation in self._observations])
            for name in self._observations[0]
        }
        task = self._episode.task
        return Demo(
            columns,
            task=task.name,
            variation=variation,
            seed=seed,
            descriptions=task.descriptions(),
            attempts=attempts,
            states=np.stack(self._states),
            symmetry=np.array(self._symmetry),
        )


def _follow_waypoints(episode: Episode, recording: _Recording) -> None:
    """Go from waypoint to waypoint, recording as RLBench does.

    There is a frame for each 0.05 s of motion and one after each gripper action, none while the
    gripper moves. Where the task takes a moment more to be done, one last frame shows it done.

    Raises:
        UnreachablePoseError: A waypoint is out of reach, or something held the arm up.
    """
    arm = episode.arm
    for waypoint in episode.task.waypoints():
        recording.towards = waypoint.symmetry
        for _ in arm.move_to(waypoint.pose):
            recording.add()
        short_of = np.linalg.norm(episode.world.tip.position - waypoint.pose.position)
        if short_of > _STUCK:
            raise UnreachablePoseError(f"the arm was held up {short_of:.3f} m from a waypoint")
        if waypoint.opened is not None:
            arm.actuate_gripper(waypoint.opened)
            recording.add()
    if not episode.task.succeeded():
        for _ in arm.wait(_SETTLING_FRAMES):
            if episode.task.succeeded():
                recording.add()
                return
