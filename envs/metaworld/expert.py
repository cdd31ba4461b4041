"""Meta-World's scripted experts, recorded as demonstrations."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from metaworld.policies import ENV_POLICY_MAP
from metaworld.policies.policy import Policy

from robomtl.data.demo import Demo
from robomtl.data.observation import Observation
from robomtl.envs.exceptions import DemonstrationError
from robomtl.envs.metaworld.robot import STEPS_PER_FRAME, Robot

_POLICIES: Mapping[str, Callable[[], Policy]] = ENV_POLICY_MAP
_MAX_ATTEMPTS = 10
_MAX_STEPS = 500  # Meta-World's horizon
# Meta-World counts a task as done at a distance, with the hand still in motion. A demonstration
# goes on for as long as this, for its last pose to be one at which the task is done (our choice).
_FINISHING_FRAMES = 10


def collect_demo(
    robot: Robot,
    variation: int,
    seed: int,
    descriptions: tuple[str, ...],
    observe: Callable[[], Observation],
) -> Demo:
    """Record a successful demonstration, at 20 frames a second until half a second after success.

    An attempt that fails is thrown away and followed by one with another goal; the demo says how
    many were needed. It is the same, to the bit, for the same task, variation and seed.

    Args:
        robot: Who does it.
        variation: Of the task.
        seed: Picks the demonstration.
        descriptions: The task in words.
        observe: What to write down of a moment.

    Raises:
        DemonstrationError: The expert failed ten times.
    """
    for attempt in range(_MAX_ATTEMPTS):
        robot.reset(variation, seed, attempt)
        frames = [observe()]
        policy: Policy = _POLICIES[robot.name]()
        more = _FINISHING_FRAMES
        for _ in range(_MAX_STEPS // STEPS_PER_FRAME):
            _act_for_a_frame(robot, policy)
            frames.append(observe())
            more -= robot.succeeded
            if more == 0:
                return Demo.from_observations(
                    frames,
                    task=robot.name,
                    variation=variation,
                    seed=seed,
                    descriptions=descriptions,
                    attempts=attempt + 1,
                )
    raise DemonstrationError(
        f"Meta-World's expert of {robot.name} (seed {seed}) failed in {_MAX_ATTEMPTS} attempts"
    )


def _act_for_a_frame(robot: Robot, policy: Policy) -> None:
    for _ in range(STEPS_PER_FRAME):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that actions will be clipped, each time
            action = policy.get_action(robot.state)
        robot.act(np.asarray(action, np.float32))
