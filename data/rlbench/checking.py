"""Everything that is wrong with an episode's folder, not only what is met first."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from robomtl.data.exceptions import DataError
from robomtl.data.rlbench import layout
from robomtl.data.rlbench.checksums import EpisodeFiles
from robomtl.data.rlbench.folder import RLBenchFolder
from robomtl.data.rlbench.image_frames import misplaced, read_picture
from robomtl.data.rlbench.reading import (
    open_pictures,
    picture_folders,
    read_descriptions,
    read_low_dim,
    read_rlbench_demo,
    read_variation,
)

Part = TypeVar("Part")


def stray_problems(folder: RLBenchFolder) -> list[str]:
    """What lies where RLBench takes everything for an episode, and is none."""
    places = {episode.parent for episode in folder.episodes()}
    return [
        f"{child} is no episode, but RLBench takes it for one"
        for place in sorted(places)
        for child in sorted(place.iterdir())
        if layout.episode_number(child.name) is None or not child.is_dir()
    ]


def episode_problems(folder: str | Path) -> list[str]:
    """Reads all of an episode and says what is wrong with it, a sentence that names the file each.

    An episode without a problem is one that `read_rlbench_demo` reads, and whose every picture it
    decodes.

    Raises:
        DataError: The path is not that of an episode.
    """
    place = layout.EpisodePlace.of(folder)
    problems: list[str] = []

    def note(problem: str) -> None:
        # What is missing may be missed again, and in more words.
        if not any(map(problem.startswith, problems)):
            problems.append(problem)

    def attempt(read: Callable[[], Part]) -> Part | None:
        try:
            return read()
        except (DataError, OSError) as error:
            note(str(error))
            return None

    files = attempt(lambda: EpisodeFiles(place.folder))
    if files is None:
        return problems
    saved = attempt(lambda: read_low_dim(files))
    attempt(lambda: read_variation(files, place))
    attempt(lambda: read_descriptions(files))
    for lost in files.lost():
        note(f"{lost} is missing")
    if saved is None:
        return problems
    for name in picture_folders(place.folder):
        wrong = misplaced(files, name, saved.length)
        for problem in wrong:
            note(problem)
        pictures = None if wrong else attempt(partial(open_pictures, files, name, saved))
        for frame in range(saved.length):
            path = f"{name}/{frame}.png"
            if pictures is not None:
                attempt(partial(pictures.__getitem__, frame))
            elif (files.folder / path).exists():
                attempt(partial(read_picture, files, path))
    if not problems:
        attempt(lambda: read_rlbench_demo(folder))
    return problems
