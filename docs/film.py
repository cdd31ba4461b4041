"""Make the README's picture: the first evaluation episode of each task, side by side.

    python docs/film.py RUN docs/policy.webp

Green is a success, red a failure; no episode is chosen.
"""

import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from robomtl.agents import KeyframePolicy
from robomtl.evaluation import FIRST_SEED, policy_path
from robomtl.parallel import cores, parallel
from robomtl.report.film import FRAME_SECONDS, film_episode

COLUMNS, TILE, STRIDE = 5, (192, 144), 2
GREEN, RED = (60, 170, 80), (200, 60, 50)


def tiles(policy_file: Path, task: str) -> list[np.ndarray]:
    """The pictures of a task's episode, small, labelled and framed."""
    episode, film = film_episode(KeyframePolicy.load(policy_file), task, FIRST_SEED)
    pictures = [cv2.resize(p, TILE, interpolation=cv2.INTER_AREA) for p in film[::-STRIDE][::-1]]
    for picture in pictures:
        cv2.putText(
            picture,
            task.replace("_", " "),
            (6, 13),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.33,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
    colour = GREEN if episode.success else RED
    cv2.rectangle(pictures[-1], (0, 0), (TILE[0] - 1, TILE[1] - 1), colour, 5)
    return pictures


def main(run: Path, out: Path) -> None:
    """Film all tasks of a run's policy."""
    file = policy_path(run)
    tasks = KeyframePolicy.load(file).tasks
    films = list(parallel(partial(tiles, file), tasks, cores()))
    length = max(map(len, films))
    films = [film + [film[-1]] * (length - len(film)) for film in films]
    blank = [np.full((TILE[1], TILE[0], 3), 255, np.uint8)] * length
    films += [blank] * (-len(films) % COLUMNS)
    rows = [films[i : i + COLUMNS] for i in range(0, len(films), COLUMNS)]
    frames = [
        Image.fromarray(np.vstack([np.hstack([film[moment] for film in row]) for row in rows]))
        for moment in range(length)
    ]
    durations = [round(1000 * STRIDE * FRAME_SECONDS)] * (length - 1) + [2000]
    frames[0].save(
        out,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        quality=55,
        method=6,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
