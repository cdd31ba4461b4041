"""The embedded simulator: physics of a demonstration, pictures of an observation."""

import statistics
import time

from rich.console import Console
from rich.table import Table

from robomtl import envs
from robomtl.data import Demo, point_cloud
from robomtl.envs.tabletop.world import FRAME_TIME

_DEMOS, _OBSERVATIONS = 20, 40


def main() -> None:
    table = Table("task", title="Simulator, medians")
    for name in ("demo", "x real time", "3 cameras, RGB-D and clouds"):
        table.add_column(name, justify="right")
    for task in envs.TASKS:
        env = envs.TabletopEnv(task)
        demos, seconds, speed = [], [], []
        for seed in range(_DEMOS):
            start = time.perf_counter()
            demos.append(env.collect_demo(seed))
            seconds.append(time.perf_counter() - start)
            speed.append(len(demos[-1]) * FRAME_TIME / seconds[-1])
        look = statistics.median(_observe(env, demos[i % _DEMOS]) for i in range(_OBSERVATIONS))
        table.add_row(
            task,
            f"{statistics.median(seconds) * 1e3:.0f} ms",
            f"{statistics.median(speed):.0f}",
            f"{look * 1e3:.1f} ms",
        )
        env.close()
    Console().print(table)


def _observe(env: envs.TabletopEnv, demo: Demo) -> float:
    """Seconds that one observation with world clouds takes."""
    start = time.perf_counter()
    observation = env.observe(demo, len(demo) // 2)
    for camera in env.cameras:
        point_cloud(
            observation[f"{camera}_depth"],
            observation[f"{camera}_camera_intrinsics"],
            observation[f"{camera}_camera_extrinsics"],
        )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
