"""Something else done while environments step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper


class Meanwhile(VecEnvWrapper):
    """Environments that are not waited for until other work is done.

    Args:
        venv: The environments; it takes several processes for them to step meanwhile.
        work: What to do in each step, after the environments were told to begin it.
    """

    def __init__(self, venv: VecEnv, work: Callable[[], None]) -> None:
        super().__init__(venv)
        self._work = work

    def reset(self) -> Any:
        """Start an episode in every environment."""
        return self.venv.reset()

    def step_async(self, actions: Any) -> None:
        """Begin a step, and work; the step is finished if the work fails, whose error is raised."""
        self.venv.step_async(actions)
        try:
            self._work()
        except BaseException:
            with suppress(Exception):
                self.venv.step_wait()
            raise

    def step_wait(self) -> Any:
        """Finish the step."""
        return self.venv.step_wait()
