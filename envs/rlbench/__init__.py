"""The real RLBench, behind the same environment as the tabletop.

Importing this needs nothing of RLBench; making an environment does.
"""

from robomtl.envs.rlbench.environment import RLBenchEnv

__all__ = ["RLBenchEnv"]
