"""The one CoppeliaSim of a process, which its environments share."""

from __future__ import annotations

import atexit
import weakref
from dataclasses import dataclass
from typing import Any

from robomtl.envs.rlbench.errors import translated
from robomtl.envs.rlbench.observation import observation_config


@dataclass(frozen=True)
class Settings:
    """What cannot change while the simulator runs."""

    cameras: tuple[str, ...]
    image_size: int
    headless: bool


class Simulator:
    """CoppeliaSim through PyRep, of which a process can hold one at a time.

    It is started when an environment first needs it and lent to one environment at a time; the
    next one to ask takes it away from the last. It is shut down when its last user is gone.
    """

    def __init__(self) -> None:
        self._running: Any = None
        self._settings: Settings | None = None
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._holder: weakref.ref[Any] | None = None

    def register(self, user: object) -> None:
        """Keep the simulator running, once it does, as long as this user has not left."""
        self._users.add(user)

    def leave(self, user: object) -> None:
        """Forget a user; the last one shuts the simulator down."""
        self._users.discard(user)
        if self.lent_to(user):
            self._holder = None
        if not self._users:
            self.shut_down()

    def lent_to(self, user: object) -> bool:
        """Whether the simulator is in the hands of this user."""
        return self._holder is not None and self._holder() is user

    def lend(self, user: object, settings: Settings, task: Any) -> Any:
        """Load a task for a user, starting the simulator anew where its settings must change.

        Args:
            user: Who gets the simulator.
            settings: What the simulator must be started with.
            task: RLBench's class of the task.

        Returns:
            RLBench's TaskEnvironment.

        Raises:
            SimulatorError: CoppeliaSim does not start.
        """
        self._users.add(user)
        with translated():
            if self._settings != settings:
                self.shut_down()
            if self._running is None:
                self._launch(settings)
            self._holder = None  # until the task is there, nobody's is
            stage = self._running.get_task(task)
            self._holder = weakref.ref(user)
            return stage

    def shut_down(self) -> None:
        """End CoppeliaSim, if it runs."""
        running, self._running, self._settings, self._holder = self._running, None, None, None
        if running is not None:
            atexit.unregister(self.shut_down)
            with translated():
                running.shutdown()

    def _launch(self, settings: Settings) -> None:
        from rlbench.action_modes.action_mode import MoveArmThenGripper
        from rlbench.action_modes.arm_action_modes import EndEffectorPoseViaPlanning
        from rlbench.action_modes.gripper_action_modes import Discrete
        from rlbench.environment import Environment

        environment = Environment(
            MoveArmThenGripper(EndEffectorPoseViaPlanning(), Discrete()),
            obs_config=observation_config(settings.cameras, settings.image_size),
            headless=settings.headless,
        )
        environment.launch()
        self._running, self._settings = environment, settings
        atexit.register(self.shut_down)


#: The simulator of this process.
SIMULATOR = Simulator()
