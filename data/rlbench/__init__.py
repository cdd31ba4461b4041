"""RLBench's saved demonstrations: read, written and checked without RLBench."""

from robomtl.data.rlbench.checking import episode_problems, stray_problems
from robomtl.data.rlbench.folder import RLBenchFolder
from robomtl.data.rlbench.reading import read_rlbench_demo
from robomtl.data.rlbench.writing import write_rlbench_demo

__all__ = [
    "RLBenchFolder",
    "episode_problems",
    "read_rlbench_demo",
    "stray_problems",
    "write_rlbench_demo",
]
