"""What to look at, and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True)
class ViewConfig:
    """Which demonstration or episode to view, and how."""

    source: Positional[Path]
    """Folder of demonstrations, or of a training run, whose policy then plays an episode."""
    task: str | None = None
    """Task; without it, the first that there is."""
    variation: int | None = None
    """Variation of the task; without it, the first that there is, or 0 for a policy."""
    seed: int | None = None
    """Seed; without it, the first demonstration, or a policy's first evaluation episode."""
    out: Path | None = None
    """File to write instead of opening the viewer: *.rrd (Rerun), *.mp4 (film), *.png (picture)."""
    cameras: tuple[str, ...] = ()
    """Cameras; without any, those it has pictures of, the policy's, or shoulders and wrist."""
    image_size: int = 256
    """Width and height in pixels of what is rendered; recorded pictures stay as they are."""
    look: Literal["fast", "pretty"] = "fast"
    """Look of what is rendered: "fast" is what policies see, "pretty" is for people."""
    every: int = 1
    """Show every n-th frame's pictures: for long demonstrations and small files."""
