"""A stand-in for RLBench: its names and signatures around a tiny kinematic world."""

from rlbench.environment import Environment
from rlbench.observation_config import CameraConfig, ObservationConfig
from rlbench.utils import name_to_task_class

__all__ = ["CameraConfig", "Environment", "ObservationConfig", "name_to_task_class"]
__version__ = "1.2.0"
