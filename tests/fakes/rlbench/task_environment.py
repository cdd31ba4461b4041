import logging

import numpy as np

from rlbench.backend.exceptions import BoundaryError, TaskEnvironmentError, WaypointError


class TaskEnvironment:
    def __init__(
        self,
        pyrep,
        robot,
        scene,
        task,
        action_mode,
        dataset_root,
        obs_config,
        static_positions=False,
        attach_grasped_objects=True,
        shaped_rewards=False,
    ):
        self._scene = scene
        self._task = task
        self._action_mode = action_mode
        self._variation_number = 0
        self._reset_called = False
        scene.task = task

    def get_name(self):
        return self._task.get_name()

    def set_variation(self, v):
        if v >= self.variation_count():
            raise TaskEnvironmentError(f"Requested variation {v}")
        self._variation_number = v

    def variation_count(self):
        return self._task.variation_count()

    def reset(self, demo=None):
        try:
            descriptions = self._scene.begin(self._variation_number)
        except (BoundaryError, WaypointError) as error:
            raise TaskEnvironmentError("Could not place the task in the scene.") from error
        self._reset_called = True
        return descriptions, self._scene.get_observation()

    def get_observation(self):
        return self._scene.get_observation()

    def step(self, action):
        if not self._reset_called:
            raise RuntimeError("Call 'reset' before calling 'step' on a task.")
        self._action_mode.action(self._scene, action)
        success, terminate = self._task.success(self._scene)
        return self._scene.get_observation(), float(success), terminate

    def get_demos(
        self,
        amount,
        live_demos=False,
        image_paths=False,
        callable_each_step=None,
        max_attempts=10,
        random_selection=True,
        from_episode_number=0,
    ):
        if not live_demos:
            raise RuntimeError("Can't ask for a stored demo when no dataset root provided.")
        demos = []
        for _ in range(amount):
            for _ in range(max_attempts):
                state = np.random.get_state()  # noqa: NPY002
                self.reset()
                try:
                    demo = self._scene.get_demo(callable_each_step=callable_each_step)
                except Exception as error:
                    logging.info("Bad demo. %s", error)
                    continue
                demo.random_seed = state
                demos.append(demo)
                break
            else:
                raise RuntimeError("Could not collect demos. Maybe a problem with the task?")
        return demos
