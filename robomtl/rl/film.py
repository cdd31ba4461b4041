"""Films of a policy at work in Meta-World."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from robomtl.data.atomic import write_atomically
from robomtl.rl.card import card_protocol
from robomtl.rl.policy import LearnedPolicy

if TYPE_CHECKING:
    from robomtl.envs.metaworld.cameras import Cameras
    from robomtl.envs.metaworld.single_task import SingleTask

_SIZE = 320  # pixels
_STRIDE = 4  # steps from one picture to the next, or more where an action is held for longer
_STEP = 1000 / 80  # milliseconds
_CAMERA = "corner3"
_GREEN, _RED = (60, 170, 80), (200, 60, 50)
_LINGER = 10  # steps for which a film goes on after success


def film_task(policy: LearnedPolicy, task: str, seed: int, path: Path) -> bool:
    """Write the first episode of an evaluation of a task as an animated WebP, in real time.

    Its last picture has a green frame if the task was done, and a red one if not.

    Args:
        policy: What acts.
        task: One of its tasks.
        seed: What the benchmark's goals were drawn by.
        path: The file.

    Returns:
        Whether the task was done.

    Raises:
        RenderingError: There is no usable OpenGL.
    """
    from robomtl.envs.metaworld.cameras import Cameras
    from robomtl.envs.metaworld.goals import benchmark_goals
    from robomtl.envs.metaworld.single_task import SingleTask

    protocol = card_protocol(policy.card)
    goals = benchmark_goals(protocol.benchmark, [task], seed, protocol.goals)[task]
    stage = SingleTask(
        task,
        goals,
        reward=protocol.reward,
        horizon=protocol.horizon,
        action_repeat=protocol.action_repeat,
        visuals=True,
    )
    cameras = Cameras(stage.simulator.model, stage.simulator.data, _SIZE)
    try:
        return _write(policy, stage, cameras, path)
    finally:
        cameras.close()
        stage.simulator.close()


def _write(policy: LearnedPolicy, stage: SingleTask, cameras: Cameras, path: Path) -> bool:
    one_hot = np.eye(len(policy.tasks))[policy.tasks.index(stage.name)]
    extra = one_hot if len(policy.tasks) > 1 else one_hot[:0]
    state, pictures, times, since = stage.reset(0), [], [], 0
    for step in range(0, stage.horizon, stage.action_repeat):
        if step % _STRIDE < stage.action_repeat:
            pictures.append(cameras.rgb_and_depth(_CAMERA)[0])
            times.append(round(step * _STEP))
        observation = np.concatenate([state, extra]).astype(np.float32)
        state, _, success = stage.step(policy.act(observation[None])[0])
        since += bool(success or since)
        if since > _LINGER:
            break
    last = np.ascontiguousarray(cameras.rgb_and_depth(_CAMERA)[0])
    cv2.rectangle(last, (0, 0), (_SIZE - 1, _SIZE - 1), _GREEN if since else _RED, 8)
    frames = [Image.fromarray(picture) for picture in [*pictures, last]]
    times.append(round((step + stage.action_repeat) * _STEP))
    durations = [*(after - before for before, after in pairwise(times)), 1500]
    file = io.BytesIO()
    frames[0].save(
        file, "WEBP", save_all=True, append_images=frames[1:], duration=durations, loop=0,
        quality=60, method=2,
    )  # fmt: skip
    write_atomically(path, file.getvalue())
    return since > 0
