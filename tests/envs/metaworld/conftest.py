"""Meta-World's tests keep their goals in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from robomtl.envs.metaworld import make_vec
from robomtl.envs.metaworld.vec_env import MetaWorldVecEnv


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def make() -> Iterator[Callable[..., MetaWorldVecEnv]]:
    """`make_vec` of a few quick tasks with few goals, closed when the test is over."""
    made: list[MetaWorldVecEnv] = []

    def few(*tasks: str, **settings: object) -> MetaWorldVecEnv:
        settings = {"goals": 4, "horizon": 6, "tasks": tasks or None, **settings}
        benchmark = "MT1" if len(tasks) == 1 else "MT10"
        made.append(make_vec(**{"benchmark": benchmark, **settings}))  # type: ignore[arg-type]
        return made[-1]

    yield few
    for env in made:
        env.close()


@pytest.fixture
def actions() -> Callable[..., np.ndarray]:
    """Random actions (T, 4) of a seed."""

    def draw(env: MetaWorldVecEnv, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return rng.uniform(-1, 1, (env.num_envs, 4)).astype(np.float32)

    return draw
