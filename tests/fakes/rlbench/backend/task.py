"""A task: a ball to touch, or to take and lift."""

import re


class Task:
    def __init__(self, pyrep, robot, name=None):
        self.pyrep = pyrep
        self.name = name or re.sub("(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    def get_name(self):
        return self.name

    def variation_count(self):
        raise NotImplementedError

    def init_episode(self, index):
        """Descriptions of the variation."""
        raise NotImplementedError

    def colour(self, index):
        """(3,) the ball's."""
        return (255, 0, 0)

    def waypoints(self, ball):
        """Poses (7,), each with what the gripper does there: None, or how open it will be."""
        raise NotImplementedError

    def success(self, scene):
        """Whether it is done, and whether it is over."""
        raise NotImplementedError
