"""Starting and ending a CoppeliaSim that is not there."""

import os

from pyrep.errors import PyRepError


class PyRep:
    running_instances = 0
    launches = 0

    def __init__(self):
        if not os.path.isdir(os.environ.get("COPPELIASIM_ROOT", "")):
            raise PyRepError("COPPELIASIM_ROOT not defined. See installation instructions.")
        self._launched = False

    def launch(
        self, scene_file="", headless=False, responsive_ui=False, blocking=False, verbosity=None
    ):
        # The real one hangs or crashes here.
        assert PyRep.running_instances == 0, "a second CoppeliaSim in one process"
        PyRep.running_instances += 1
        PyRep.launches += 1
        self._launched = True

    def shutdown(self):
        if not self._launched:
            raise PyRepError("CoppeliaSim has not been launched. Call launch first.")
        PyRep.running_instances -= 1
        self._launched = False
