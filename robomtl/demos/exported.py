"""What an earlier export left in a folder: whether more may join it, and what of it is damaged."""

from collections.abc import Collection, Mapping
from pathlib import Path

from robomtl.data import CorruptDemoError, CorruptImageError, DemoKey, DemoStore, RLBenchFolder
from robomtl.data.png import png_shape
from robomtl.data.rlbench.checksums import FILE as CHECKSUMS
from robomtl.data.rlbench.checksums import EpisodeFiles
from robomtl.data.rlbench.folder import holds_episodes
from robomtl.data.rlbench.layout import ALL_VARIATIONS, DESCRIPTIONS_FILE, EpisodePlace
from robomtl.data.rlbench.reading import read_variation
from robomtl.exceptions import ExperimentError
from robomtl.parallel import parallel
from robomtl.progress import progress_bar

_ELSEWHERE = "choose another folder with --out"


def check_exported(
    out: Path, layout: str, image_size: int | None, keys: Mapping[Path, DemoKey]
) -> None:
    """Refuses to mix layouts, sizes of images, or episodes of others in one folder.

    Args:
        out: The folder, which need not exist.
        layout: That of the episodes to come, "rlbench" or "peract".
        image_size: Of their images in pixels; None if they have whatever size they have.
        keys: Their demonstrations by folder, which will be written where missing or damaged.

    Raises:
        ExperimentError: They cannot join what is there.
        UnsupportedFormatError: As for `RLBenchFolder`.
    """
    if DemoStore(out).keys():
        raise ExperimentError(f"{out} holds demonstrations of `robomtl collect`: {_ELSEWHERE}")
    there = RLBenchFolder(out).episodes() if out.is_dir() and holds_episodes(out) else []
    for episode in there:
        theirs = "peract" if episode.parent.parent.name == ALL_VARIATIONS else "rlbench"
        if theirs != layout:
            raise ExperimentError(
                f"{out} holds episodes in the layout {theirs}, not {layout}: {_ELSEWHERE}"
            )
        size = _image_size(episode)
        if image_size is not None and size not in (None, image_size):
            raise ExperimentError(
                f"{out} holds episodes with images of {size} pixels, not {image_size}: {_ELSEWHERE}"
            )
        if episode not in keys:
            continue
        if not (episode / CHECKSUMS).exists():
            raise ExperimentError(
                f"{episode} was not written by robomtl, as it has no {CHECKSUMS}: {_ELSEWHERE}"
            )
        variation = _variation(episode)
        if variation not in (None, keys[episode].variation):
            raise ExperimentError(
                f"{episode} is of variation {variation}, the demonstration of that number of "
                f"variation {keys[episode].variation}: {_ELSEWHERE}"
            )


def damaged_episodes(folders: Collection[Path], workers: int) -> set[Path]:
    """Those of these episodes of which a file is missing, or is not what was written.

    A variation's descriptions that are damaged are removed: to write its episodes makes them anew.
    """
    damaged = set()
    with progress_bar("looking at what is there", len(folders)) as advance:
        for folder, files in zip(folders, parallel(_damaged, folders, workers), strict=True):
            if files:
                damaged.add(folder)
            for file in files:
                if file.name == DESCRIPTIONS_FILE:
                    file.unlink(missing_ok=True)
            advance()
    return damaged


def _damaged(folder: Path) -> list[Path]:
    try:
        return EpisodeFiles(folder).damaged()
    except CorruptDemoError:  # the list of what there should be
        return [folder / CHECKSUMS]


def _variation(episode: Path) -> int | None:
    """Which variation an episode is of; None if it is damaged."""
    try:
        return read_variation(EpisodeFiles(episode), EpisodePlace.of(episode))
    except CorruptDemoError:
        return None


def _image_size(episode: Path) -> int | None:
    """Width of an episode's images in pixels; None if the first one does not tell."""
    try:
        return png_shape((episode / "front_rgb" / "0.png").read_bytes())[1]
    except (OSError, CorruptImageError):
        return None
