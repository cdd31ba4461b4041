"""The thing that a description names by its colour is drawn in that colour, and no other is."""

from __future__ import annotations

import numpy as np
import pytest

from robomtl.data import CAMERAS
from robomtl.envs.tabletop.episode import Episode
from robomtl.envs.tabletop.rendering import Renderer
from robomtl.envs.tabletop.tasks import TASKS

#: RLBench's colours in the order of its variations.
_RLBENCH = {
    "red": (1.0, 0.0, 0.0),
    "maroon": (0.5, 0.0, 0.0),
    "lime": (0.0, 1.0, 0.0),
    "green": (0.0, 0.5, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "navy": (0.0, 0.0, 0.5),
    "yellow": (1.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "silver": (0.75, 0.75, 0.75),
    "gray": (0.5, 0.5, 0.5),
    "orange": (1.0, 0.5, 0.0),
    "olive": (0.5, 0.5, 0.0),
    "purple": (0.5, 0.0, 0.5),
    "teal": (0.0, 0.5, 0.5),
    "azure": (0.0, 0.5, 1.0),
    "violet": (0.5, 0.0, 1.0),
    "rose": (1.0, 0.0, 0.5),
    "black": (0.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
}
#: The bodies that change colour, the one that is asked for first, and how many variations.
_TASKS = {
    "push_button": (("cap",), 18),
    "pick_up_cup": (("target", "distractor"), 20),
    "pick_and_lift": (("target", "distractor0", "distractor1"), 20),
    "reach_target": (("target", "distractor0", "distractor1"), 20),
}
_SIZE = 64
_DARK = 0.25  # bright enough to show the light, too dark to be overexposed
_FEW = 5  # pixels


class _Eye:
    """Tells colours apart in whatever light, by comparing with the same things painted black."""

    def __init__(self, episode: Episode, names: tuple[str, ...]) -> None:
        self.bodies = [episode.world.bodies[name] for name in names]
        self.renderer = Renderer(episode.world, _SIZE, _SIZE)

    def colours(self) -> list[str | None]:
        """Name of each body's colour, None for one that is hidden. The scene is repainted."""
        seen = self._pictures()
        mask = np.stack([self.renderer.mask(camera) for camera in CAMERAS])
        black, dark = self._painted(0.0), self._painted(_DARK)
        # What is reflected adds to the colour, what is scattered multiplies it.
        light = (dark - black) / _DARK
        return [
            self._nearest(*(x[mask == body.id] for x in (seen, black, light)))
            for body in self.bodies
        ]

    def _nearest(self, seen: np.ndarray, black: np.ndarray, light: np.ndarray) -> str | None:
        if len(seen) < _FEW:
            return None
        assert light.max() > 50, "paint does not show"

        def error(name: str) -> float:
            expected = np.clip(black + light * _RLBENCH[name], 0, 255)
            return float(np.median(np.abs(seen - expected).sum(axis=1)))

        return min(_RLBENCH, key=error)

    def _painted(self, grey: float) -> np.ndarray:
        for body in self.bodies:
            body.recolour((grey, grey, grey))
        return self._pictures()

    def _pictures(self) -> np.ndarray:
        self.renderer.update()
        return np.stack([self.renderer.rgb_and_depth(c)[0] for c in CAMERAS]).astype(float)


@pytest.mark.parametrize("task", _TASKS)
def test_the_colour_that_is_named_is_drawn_on_the_target_alone(task: str) -> None:
    names, count = _TASKS[task]
    assert TASKS[task].variations == count
    episode = Episode(TASKS[task])
    eye = _Eye(episode, names)
    wrong = []
    for variation, colour in enumerate(list(_RLBENCH)[:count]):
        episode.reset(variation, seed=0)
        for description in episode.task.descriptions():
            assert colour in description.split()
        target, *others = eye.colours()
        if target != colour or colour in others:
            wrong.append(f"{colour}: the target is {target}, others are {others}")
    eye.renderer.close()
    assert not wrong
