import re

import numpy as np
import pytest

from robomtl.report.curves import curves
from robomtl.report.images import animation, overlay, still
from robomtl.report.write import _curves, _filmed


@pytest.fixture(scope="module")
def page(smoke):
    return (smoke / "run" / "report.html").read_text()


def test_the_page_needs_nothing_but_itself(page):
    assert "http" not in page
    assert not re.search(r"<(link|script|iframe)\b|@import", page)
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert not re.search(r"url\((?!#)", page)
    assert len(page) < 10e6


def test_every_task_has_a_row_of_success_and_a_section_with_pictures(page):
    table = page[page.index('<table id="success">') : page.index("</table>")]
    for task in ("reach_target", "push_button"):
        assert f"<td>{task}</td>" in table
        section = page[page.index(f'<section class="card" id="{task}">') :]
        section = section[: section.index("</section>")]
        assert "data:image/webp" in section
        assert "keyframe 1" in section
    assert page.count("<section") == 2
    assert re.search(r'<span class="mean">\d\.\d{3}</span>', page)


def test_the_first_episode_of_the_evaluation_is_filmed():
    tasks = ("reach_target", "push_button", "reach-v3")
    default = (("reach_target", 0, 1_000_000), ("push_button", 0, 1_000_000))
    assert _filmed(tasks, None) == default
    summary = {"simulator": "tabletop", "variation": 3, "seed": 2, "success": {"reach_target": 0.5}}
    assert _filmed(tasks, summary) == (("reach_target", 3, 1_200_000), default[1])
    assert _filmed(tasks, summary | {"simulator": "rlbench"}) == ()


def test_the_page_says_what_was_used(page):
    for name in ("python", "torch", "mujoco", "robomtl", "iterations"):
        assert name in page


def test_curves_show_every_task_and_refer_to_nothing_outside():
    svg = curves(
        np.arange(5),
        {"a_task": np.ones(5), "another": np.full(5, 2.0)},
        "loss",
        logarithmic=True,
    )
    assert "a_task" in svg
    assert "another" in svg
    assert svg.startswith("<svg")
    assert "http" not in svg
    assert set(re.findall(r'href="#([^"]+)', svg)) <= set(re.findall(r'id="([^"]+)', svg))


def test_weights_are_drawn_if_they_ever_change():
    steps, losses = np.arange(5), {"a_task": np.ones(5)}
    assert len(_curves(steps, losses, {"a_task": np.full(5, 0.1)})) == 1
    _, weights = _curves(steps, losses, {"a_task": np.linspace(0.1, 0.2, 5)})
    assert "weight of the task" in weights


def test_attention_glows_where_it_is_and_leaves_the_rest():
    picture = np.full((8, 8, 3), 100, np.uint8)
    attention = np.zeros((4, 4))
    attention[0, 0] = 1
    shown = overlay(picture, attention).astype(int)
    assert shown.shape == (16, 16, 3)
    assert np.abs(shown[0, 0] - 100).max() > 100
    assert np.abs(shown[8:, 8:] - 100).max() <= 1


def test_an_animation_has_all_its_pictures():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (16, 24, 3), np.uint8) for _ in range(3)]
    assert decoded(animation(pictures, 0.1)).n_frames == 3
    assert decoded(still(pictures[0])).size == (24, 16)


def decoded(uri):
    import base64
    from io import BytesIO

    from PIL import Image

    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))
