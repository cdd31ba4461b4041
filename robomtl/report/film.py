"""Films of a policy at work."""

import numpy as np

from robomtl import envs
from robomtl.agents import KeyframePolicy
from robomtl.episode import Episode, run_episode

_STRIDE = 2
#: Seconds from one picture of a film to the next.
FRAME_SECONDS = _STRIDE / envs.TabletopEnv.metadata["render_fps"]


def film_episode(
    policy: KeyframePolicy, task: str, seed: int, *, variation: int = 0, look: str = "pretty"
) -> tuple[Episode, list[np.ndarray]]:
    """Lets the policy act, and films it.

    The policy sees what it was trained on; people see the same states drawn in another look.

    Args:
        policy: What acts.
        task: What it should do.
        seed: Picks the scene.
        variation: Of the task.
        look: Of the film: "pretty", or "fast", which takes a tenth of the time.

    Returns:
        What became of the episode, and pictures (H, W, 3) uint8: the scene before the first
        action, then one every `FRAME_SECONDS`. If nothing could move, the first is all there is.
    """
    stage = envs.TabletopEnv(
        task, variation=variation, cameras=policy.cameras, image_size=policy.image_size
    )
    studio = envs.TabletopEnv(
        task, variation=variation, cameras=(), look=look, render_mode="rgb_array"
    )
    try:
        stage.film = []
        episode = run_episode(stage, policy, task, seed)
        studio.reset(seed=seed)
        start = studio.render()
        assert start is not None
        # Counted from the end, so that the last moment is in the film.
        return episode, [start, *map(studio.picture, stage.film[::-_STRIDE][::-1])]
    finally:
        stage.close()
        studio.close()
