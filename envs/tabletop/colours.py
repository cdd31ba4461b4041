"""RLBench's twenty colours."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.body import Colour

#: Name and red, green, blue of each colour; a variation is an index into it.
COLOURS: tuple[tuple[str, Colour], ...] = (
    ("red", (1.0, 0.0, 0.0)),
    ("maroon", (0.5, 0.0, 0.0)),
    ("lime", (0.0, 1.0, 0.0)),
    ("green", (0.0, 0.5, 0.0)),
    ("blue", (0.0, 0.0, 1.0)),
    ("navy", (0.0, 0.0, 0.5)),
    ("yellow", (1.0, 1.0, 0.0)),
    ("cyan", (0.0, 1.0, 1.0)),
    ("magenta", (1.0, 0.0, 1.0)),
    ("silver", (0.75, 0.75, 0.75)),
    ("gray", (0.5, 0.5, 0.5)),
    ("orange", (1.0, 0.5, 0.0)),
    ("olive", (0.5, 0.5, 0.0)),
    ("purple", (0.5, 0.0, 0.5)),
    ("teal", (0.0, 0.5, 0.5)),
    ("azure", (0.0, 0.5, 1.0)),
    ("violet", (0.5, 0.0, 1.0)),
    ("rose", (1.0, 0.0, 0.5)),
    ("black", (0.0, 0.0, 0.0)),
    ("white", (1.0, 1.0, 1.0)),
)


def distractors(rng: np.random.Generator, variation: int, count: int) -> list[Colour]:
    """`count` different colours, none of them the variation's own."""
    others = [i for i in range(len(COLOURS)) if i != variation]
    return [COLOURS[i][1] for i in rng.choice(others, count, replace=False)]
