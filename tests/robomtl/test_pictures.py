"""What is written in pictures can be read, however long the names of methods are."""

import re
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from robomtl.scenes import plots, relationships
from robomtl.toy.plot import plot

TASKS = ("segmentation", "depth")
METHODS = ("auto_lambda_finite_difference+aligned_mtl", "auto_lambda_stochastic+nash_mtl", "equal")


def weights(path):
    steps = np.arange(20)
    curves = plots.WeightCurves(steps, {task: np.ones(20) for task in TASKS})
    plots.draw_weights(path, dict.fromkeys(METHODS, curves))


def improvements(path):
    gains = {method: dict.fromkeys(TASKS, 0.1) for method in METHODS}
    plots.draw_improvements(path, gains, dict.fromkeys(METHODS, 0.1))


def pairs(path):
    found = SimpleNamespace(correlations=dict.fromkeys(relationships.FORMS, 0.5))
    panels = [
        plots.RelationshipPanel(
            title=relationships._title(name, found), matrix=np.full((2, 2), 0.01), form=form
        )
        for name, form in relationships.FORMS.items()
    ]
    plots.draw_relationships(path, TASKS, panels)


def toy(path):
    line = np.linspace([-5.0, 5.0], [5.0, -5.0], 10)
    plot({method: [line] for method in METHODS}, line, np.zeros(2), path)


@pytest.mark.parametrize("draw", [weights, improvements, pairs, toy])
def test_no_text_is_cut_off_or_covers_another(draw, tmp_path, monkeypatch):
    drawn, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: (drawn.append(f), save(f, *a, **k)))
    draw(tmp_path / "picture.png")
    (figure,) = drawn
    figure.draw_without_rendering()  # at the figure's own resolution
    texts = [text for text in figure.findobj(Text) if text.get_visible()]
    words = [text for text in texts if re.search("[a-z]{3}", text.get_text())]
    boxes = {text: text.get_window_extent() for text in words}
    for text, box in boxes.items():
        assert figure.bbox.contains(*box.min), text
        assert figure.bbox.contains(*box.max), text
    level = [text for text in words if text.get_rotation() == 0]
    for one, other in combinations(level, 2):
        assert not boxes[one].overlaps(boxes[other]), (one, other)
