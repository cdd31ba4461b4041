"""Trainings that take a second or two."""

from robomtl.rl.config import RLTrainConfig
from robomtl.rl.overrides import Overrides

TASKS = ("reach-v3", "drawer-close-v3")
OVERRIDES = Overrides(
    steps=160,
    goals=3,
    horizon=20,
    warm_up=10,
    evaluation_interval=40,
    evaluation_episodes=1,
    final_episodes=2,
    width=8,
    depth=1,
    batch_size=4,
)
TINY = RLTrainConfig(tasks=TASKS, overrides=OVERRIDES, checkpoint_interval=40)
OPTIONS = (
    "--tasks", *TASKS, "--steps", 160, "--goals", 3, "--horizon", 20, "--warm-up", 10,
    "--evaluation-interval", 40, "--evaluation-episodes", 1, "--final-episodes", 2,
    "--width", 8, "--depth", 1, "--batch-size", 4, "--checkpoint-interval", 40,
)  # fmt: skip
