from pyrep import PyRep

from rlbench.backend.scene import Scene
from rlbench.observation_config import ObservationConfig
from rlbench.task_environment import TaskEnvironment


class Environment:
    def __init__(
        self,
        action_mode,
        dataset_root="",
        obs_config=ObservationConfig(),  # noqa: B008 as the real one has it
        headless=False,
        static_positions=False,
        robot_setup="panda",
        randomize_every=None,
        frequency=1,
        visual_randomization_config=None,
        dynamics_randomization_config=None,
        attach_grasped_objects=True,
        shaped_rewards=False,
        arm_max_velocity=1.0,
        arm_max_acceleration=4.0,
    ):
        self._action_mode = action_mode
        self._obs_config = obs_config
        self._headless = headless
        self._pyrep = None

    def launch(self):
        if self._pyrep is not None:
            raise RuntimeError("Already called launch!")
        self._pyrep = PyRep()
        self._pyrep.launch("task_design.ttt", headless=self._headless)
        self._scene = Scene(self._obs_config)

    def shutdown(self):
        if self._pyrep is not None:
            self._pyrep.shutdown()
        self._pyrep = None

    def get_task(self, task_class):
        if self._pyrep is None:
            self.launch()
        return TaskEnvironment(
            self._pyrep, None, self._scene, task_class(self._pyrep, None), self._action_mode, "",
            self._obs_config,
        )  # fmt: skip
