"""Meta-World: the MT benchmarks for reinforcement learning, and its scripted experts' tasks.

`make_vec` gives a benchmark as a vectorised environment of Stable-Baselines3.
`robomtl.envs.make(task, simulator="metaworld")` gives one task with this package's own actions,
observations and demonstrations. Importing this imports neither Meta-World nor Stable-Baselines3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from robomtl.envs.metaworld.vec_env import MetaWorldVecEnv

__all__ = ["make_vec"]


def make_vec(
    benchmark: str = "MT10",
    *,
    seed: int = 0,
    goals: int = 50,
    reward: str = "v2",
    horizon: int = 500,
    action_repeat: int = 1,
    one_hot: bool = True,
    tasks: Sequence[str] | None = None,
    workers: int = 1,
    transport: Literal["processes", "ray"] = "processes",
    stop_at_success: bool = False,
) -> MetaWorldVecEnv:
    """A multi-task benchmark of Meta-World, one environment for each task.

    The seed fixes the goals, which are Meta-World's own for it, and the order in which episodes
    take them; nothing else is random. They are kept in a cache, see
    `robomtl.envs.metaworld.goals`, so only the first time takes long.

    Args:
        benchmark: ``"MT1"``, ``"MT10"``, ``"MT25"`` or ``"MT50"``.
        seed: Draws the goals, 0 to 2³² − 1.
        goals: How many of them each task has; 50 is the benchmark's number, 1 a fixed goal.
        reward: ``"v2"``, or ``"v1"``, the older one that some papers' numbers are of.
        horizon: Steps of an episode; the benchmark has 500, older papers 150.
        action_repeat: Steps of the simulator for which an action is held; they must divide the
            horizon, which counts the simulator's.
        one_hot: Whether observations end with which task it is.
        tasks: Some of the benchmark's tasks, with the goals that they have in all of it; needed
            for MT1. The one-hot code is as long as there are tasks here.
        workers: Processes to step the tasks in, with the same results for any number of them.
            With more than one, the main script must be importable (``if __name__ ==
            "__main__":``), as for all of Python's spawned processes.
        transport: What workers are: processes of this machine, or Ray's actors on this or other
            machines, see `robomtl.envs.metaworld.ray`. A single process is this one.
        stop_at_success: End an episode when its task is done first, as Meta-World evaluates. Not
            for training.

    Raises:
        UnknownNameError: There is no such benchmark, task or reward; the message lists the valid.
        EnvError: A number is out of range.
        MissingSimulatorError: Ray is asked for and not installed.
    """
    from robomtl.envs.metaworld.goals import benchmark_goals
    from robomtl.envs.metaworld.names import chosen_tasks
    from robomtl.envs.metaworld.vec_env import MetaWorldVecEnv

    chosen = chosen_tasks(benchmark, tasks)
    return MetaWorldVecEnv(
        benchmark_goals(benchmark, chosen, seed, goals),
        seed=seed,
        reward=reward,
        horizon=horizon,
        action_repeat=action_repeat,
        one_hot=one_hot,
        workers=workers,
        transport=transport,
        stop_at_success=stop_at_success,
    )
