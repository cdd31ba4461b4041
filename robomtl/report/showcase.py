"""What there is to see of one task: a demonstration, the policy's attention, a rollout."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from robomtl import envs
from robomtl.agents import KeyframePolicy
from robomtl.data import Demo, DemoKey, Observation, find_keyframes
from robomtl.episode import Episode
from robomtl.report.film import FRAME_SECONDS, film_episode
from robomtl.report.images import animation, overlay, still

ROLLOUT_SIZE = (320, 240)
"""Width and height of the animations in pixels."""


@dataclass(frozen=True)
class Moment:
    """A demonstration's first frame, or one of its keyframes. Images are data URIs."""

    title: str
    seconds: float
    position: str
    gripper: str
    picture: str
    """From the front, for people."""
    attention: list[str]
    """Per camera of the policy, where it looks to find the next keyframe; empty at the last."""


@dataclass(frozen=True)
class Showcase:
    """What the report shows of a task."""

    name: str
    description: str
    moments: list[Moment]
    rollout: str
    """Animation of `episode`, a data URI."""
    episode: Episode


def make_showcase(policy_file: Path, look: str, key: DemoKey) -> Showcase:
    """Records a demonstration and a rollout of a task, and pictures both.

    The demonstration is the first that `robomtl collect` makes of the variation by default, the
    rollout the first episode of `robomtl evaluate`: neither is chosen for its beauty.

    Args:
        policy_file: What acts.
        look: Of the pictures.
        key: Task, variation and seed of the rollout.
    """
    policy = KeyframePolicy.load(policy_file)
    episode, film = film_episode(policy, key.task, key.seed, variation=key.variation, look=look)
    demo, moments = _moments(policy, key, look)
    return Showcase(
        name=key.task,
        description=demo.descriptions[0],
        moments=moments,
        rollout=animation([_shrunk(picture) for picture in film], FRAME_SECONDS),
        episode=episode,
    )


def _moments(policy: KeyframePolicy, key: DemoKey, look: str) -> tuple[Demo, list[Moment]]:
    task = key.task
    stage = envs.TabletopEnv(
        task, variation=key.variation, cameras=policy.cameras, image_size=policy.image_size
    )
    studio = envs.TabletopEnv(task, cameras=("front",), image_size=256, look=look)
    try:
        demo = stage.collect_demo(seed=0)
        frames = [0, *find_keyframes(demo)]
        moments = []
        for number, frame in enumerate(frames):
            seen, shown = stage.observe(demo, frame), studio.observe(demo, frame)
            seen["timestep"] = np.array(number)
            moments.append(
                Moment(
                    title=f"keyframe {number}" if number else "start",
                    seconds=frame / envs.TabletopEnv.metadata["render_fps"],
                    position=" ".join(f"{x:.2f}" for x in seen.gripper_pose[:3]),
                    gripper="open" if seen.gripper_open else "closed",
                    picture=still(shown.front_rgb),
                    attention=_attention(policy, seen, task) if frame != frames[-1] else [],
                )
            )
        return demo, moments
    finally:
        stage.close()
        studio.close()


def _attention(policy: KeyframePolicy, seen: Observation, task: str) -> list[str]:
    maps = policy.attention(seen, task)
    # One scale for all cameras, so that the one the policy relies on stands out.
    brightest = max(weights.max() for weights in maps.values())
    return [still(overlay(seen[f"{c}_rgb"], maps[c] / brightest)) for c in policy.cameras]


def _shrunk(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize(ROLLOUT_SIZE, Image.Resampling.LANCZOS))
