"""Multi-task soft actor-critic, on Stable-Baselines3.

`MultiTaskSAC` learns T tasks at once from a vector of T environments; any method of
`robomtl.methods` sets the gradients of what tasks share.
"""

from robomtl.agents.sac.algorithm import MultiTaskSAC
from robomtl.agents.sac.checkpoint import Checkpoints
from robomtl.agents.sac.config import SACConfig
from robomtl.agents.sac.exceptions import (
    CheckpointError,
    EnvironmentLayoutError,
    NonFiniteTransitionError,
    SettingError,
)
from robomtl.agents.sac.networks import NETWORKS
from robomtl.agents.sac.replay import TaskReplay
from robomtl.agents.sac.suitability import check_methods

__all__ = [
    "NETWORKS",
    "CheckpointError",
    "Checkpoints",
    "EnvironmentLayoutError",
    "MultiTaskSAC",
    "NonFiniteTransitionError",
    "SACConfig",
    "SettingError",
    "TaskReplay",
    "check_methods",
]
