"""Meta-World as it is, to hold ours against."""

from __future__ import annotations

import pickle

import numpy as np
from metaworld.sawyer_xyz_env import SawyerXYZEnv
from metaworld.types import Task

from robomtl.envs.metaworld.names import task_class


def stock_env(task: str, reward: str = "v2") -> SawyerXYZEnv:
    return task_class(task)(reward_function_version=reward)


def set_goal(env: SawyerXYZEnv, task: str, goal: np.ndarray) -> None:
    scene = {"rand_vec": goal, "env_cls": task_class(task), "partially_observable": False}
    env.set_task(Task(env_name=task, data=pickle.dumps(scene)))
