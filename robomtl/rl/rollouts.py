"""Success rates of a policy over a fixed list of goals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Observations = NDArray[np.float32]
Act = Callable[[Observations], NDArray[np.float32]]


class EvaluationEnv(Protocol):
    """The environments that `successes` needs; those of Meta-World are."""

    tasks: tuple[str, ...]

    def evaluation_goals(self, episodes: int) -> NDArray[np.int64]: ...  # noqa: D102
    def set_goals(self, goals: NDArray[np.int64] | None) -> None: ...  # noqa: D102
    def reset(self) -> Any: ...  # noqa: D102
    def step(self, actions: NDArray[np.float32]) -> Any: ...  # noqa: D102


def successes(
    env: EvaluationEnv, act: Act, episodes: int, on_episode: Callable[[], object] = lambda: None
) -> dict[str, int]:
    """Return in how many of its first episodes each task was done at any step.

    Every task goes through the same goals, all different while there are enough. Tasks whose
    episodes end sooner go on until the last one has had all of its own; those do not count.

    Args:
        env: Environments, one for each task.
        act: Maps observations (T, states + T) to actions (T, A).
        episodes: How many of each task.
        on_episode: Called after each episode that counts.
    """
    env.set_goals(env.evaluation_goals(episodes))
    observations = env.reset()
    had = np.zeros(len(env.tasks), np.int64)
    won = np.zeros(len(env.tasks), np.int64)
    while had.min() < episodes:
        observations, _, dones, infos = env.step(act(observations))
        for index in np.flatnonzero(dones & (had < episodes)):
            had[index] += 1
            won[index] += infos[index]["is_success"]
            on_episode()
    return dict(zip(env.tasks, won.tolist(), strict=True))
