"""The command `robomtl view`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from robomtl.exceptions import ExperimentError
from robomtl.outputs import check_file
from robomtl.progress import console
from robomtl.view.config import ViewConfig
from robomtl.view.film import write_film
from robomtl.view.footage import Footage
from robomtl.view.glance import write_glance
from robomtl.view.recording import import_rerun, show, write_recording
from robomtl.view.source import open_footage

WRITERS: dict[str, Callable[[Footage, int, Path], None]] = {
    ".rrd": write_recording,
    ".mp4": write_film,
    ".png": write_glance,
}
"""What can be written, by the end of a file's name."""


def view(config: ViewConfig) -> Path | None:
    """Shows a demonstration or an episode in the viewer, or writes it to a file.

    Where there is no screen for the viewer it writes a recording beside the source, and says so.

    Returns:
        The file, or None if the viewer was opened.

    Raises:
        ExperimentError: There is no such thing to view or no such kind of file, a folder in its
            place, or a library that is needed for it is not installed.
    """
    if config.every < 1 or config.image_size < 1 or (config.seed or 0) < 0:
        raise ExperimentError(
            "every and image size must be at least 1 and the seed not negative: "
            f"{config.every}, {config.image_size}, {config.seed}"
        )
    if config.out is not None and config.out.suffix not in WRITERS:
        raise ExperimentError(
            f"{config.out}: no such kind of file; --out ends in one of {', '.join(WRITERS)}"
        )
    if config.out is not None:
        check_file(config.out)
    if config.out is None or config.out.suffix == ".rrd":
        import_rerun()  # before minutes of rendering
    with open_footage(config) as footage:
        key = footage.demo.key
        outcome = f"{key}: {footage.outcome}, {len(footage.demo)} frames"
        console.print(outcome, markup=False, soft_wrap=True)
        if config.out is None and has_screen():
            show(footage, config.every)
            return None
        out = config.out
        if out is None:
            name = f"{config.source.resolve().name}-{key.task}-{key.variation}-{key.seed}.rrd"
            out = config.source.resolve().parent / name
            console.print(
                "There is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set), so this "
                "writes a recording. Where there is one, `rerun FILE` opens it."
            )
        WRITERS[out.suffix](footage, config.every, out)
    console.print(f"{out} ({out.stat().st_size / 1e6:.1f} MB)", markup=False, soft_wrap=True)
    return out


def has_screen() -> bool:
    """Whether a window can be opened, as far as the environment says."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
