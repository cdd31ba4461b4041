import numpy as np

from rlbench.backend.task import Task


class ReachTarget(Task):
    def variation_count(self):
        return 20

    def init_episode(self, index):
        return [f"reach target {index}", f"touch the ball of variation {index}"]

    def colour(self, index):
        return (255, 12 * index, 0)

    def waypoints(self, ball):
        return [(np.append(ball, [0, 1, 0, 0]), None)]

    def success(self, scene):
        done = bool(np.linalg.norm(scene.tip[:3] - scene.ball) < 0.03)
        return done, done
