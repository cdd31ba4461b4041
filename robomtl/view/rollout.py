"""An episode of a policy, written down frame by frame as a demonstration is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from robomtl.agents import KeyframePolicy
from robomtl.data import Demo
from robomtl.data.counted import counted
from robomtl.envs import TabletopEnv
from robomtl.envs.tabletop.episode import Episode
from robomtl.envs.tabletop.tasks import TASKS
from robomtl.episode import run_episode
from robomtl.progress import progress_bar


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """What a policy did."""

    demo: Demo
    """Every frame, with simulator states; frame 0 is the scene before the first action."""
    ends: tuple[int, ...]
    """Frames at which actions ended, increasing; an action that moved nothing adds none."""
    targets: Mapping[int, np.ndarray]
    """By the frame at which it was chosen: the gripper pose (7,) of each action."""
    outcome: str
    """In words."""


def play(policy: KeyframePolicy, task: str, variation: int, seed: int) -> Rollout:
    """Lets a policy act in the episode that `robomtl evaluate` plays for the same numbers.

    Raises:
        UnknownNameError: There is no such task or variation.
    """
    stage = TabletopEnv(
        task, variation=variation, cameras=policy.cameras, image_size=policy.image_size
    )
    film: list[np.ndarray] = []
    stage.film = film
    targets: dict[int, np.ndarray] = {}
    try:
        with progress_bar("actions", stage.max_steps) as advance:

            def on_action(action: np.ndarray) -> None:
                targets[len(film)] = action[:7].copy()
                advance()

            result = run_episode(stage, policy, task, seed, on_action)
    finally:
        stage.close()
    # The film begins with the first motion; the same numbers give the scene before it again.
    replay = Episode(TASKS[task])
    replay.reset(variation, seed)
    states = [replay.world.state(), *film]
    if len(states) == 1:  # nothing moved, and a demonstration has two frames
        states *= 2
    observations = []
    for state in states:
        replay.world.restore(state)
        observations.append(replay.low_dim())
    demo = Demo.from_observations(
        observations,
        task=task,
        variation=variation,
        seed=seed,
        descriptions=replay.task.descriptions(),
        states=np.stack(states),
    )
    ended = "success" if result.success else f"failure ({result.error or 'step limit'})"
    return Rollout(
        demo=demo,
        ends=tuple(sorted({*targets, len(states) - 1} - {0})),
        targets=targets,
        outcome=f"{ended} after {counted(result.steps, 'action')}",
    )
