from collections.abc import Callable
from typing import Any

import pytest

from robomtl.envs.tabletop.tasks import TASKS

# Up to three variations of each task: those that differ in more than colour have no more.
EPISODES = [
    (name, variation, seed)
    for name, task in TASKS.items()
    for variation in range(min(task.variations, 3))
    for seed in range(3)
]


@pytest.mark.parametrize(("task", "variation", "seed"), EPISODES)
def test_the_expert_succeeds(
    start: Callable[..., Any], task: str, variation: int, seed: int
) -> None:
    scene = start(task, seed, variation)
    assert not scene.succeeded
    scene.follow()
    assert scene.succeeded
