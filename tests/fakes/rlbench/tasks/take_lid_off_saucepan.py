import numpy as np

from rlbench.backend.task import Task


class TakeLidOffSaucepan(Task):
    def variation_count(self):
        return 1

    def init_episode(self, index):
        return ["take the lid off"]

    def waypoints(self, ball):
        down = [0, 1, 0, 0]
        above = np.append(ball + [0, 0, 0.1], down)
        return [
            (above, None),
            (np.append(ball, down), 0.0),
            (above + [0, 0, 0.1, 0, 0, 0, 0], None),
        ]

    def success(self, scene):
        done = bool(scene.held and scene.ball[2] > 1.0)
        return done, done
