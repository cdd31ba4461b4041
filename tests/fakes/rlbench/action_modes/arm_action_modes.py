from enum import Enum

import numpy as np
from pyrep.errors import ConfigurationPathError

from rlbench.backend.exceptions import InvalidActionError


class RelativeFrame(Enum):
    WORLD = 0
    EE = 1


class EndEffectorPoseViaPlanning:
    def __init__(self, absolute_mode=True, frame=RelativeFrame.WORLD, collision_checking=False):
        assert absolute_mode
        assert frame is RelativeFrame.WORLD

    def action(self, scene, action):
        if action.shape != (7,):
            raise InvalidActionError(f"Expected the action shape to be (7,), not {action.shape}")
        if not np.isclose(np.linalg.norm(action[3:]), 1.0):
            raise InvalidActionError("Action contained non unit quaternion!")
        try:
            path = scene.path_to(action)
        except ConfigurationPathError as error:
            raise InvalidActionError("A path could not be found.") from error
        for _ in path:
            if scene.task.success(scene)[0]:
                break
