"""Where RLBench and PerAct keep an episode.

```
<root>/<task>/variation<N>/variation_descriptions.pkl
<root>/<task>/variation<N>/episodes/episode<M>/            RLBench
<root>/<task>/all_variations/episodes/episode<M>/          PerAct; what is above moves in here, and
                                                           variation_number.pkl
    low_dim_obs.pkl                                        a Demo without its pictures
    <camera>_rgb|depth|mask/<frame>.png
    checksums.sha256                                       only where this package wrote it
```
"""

import re
from dataclasses import dataclass
from pathlib import Path

from robomtl.data.exceptions import DataError

LOW_DIM_FILE = "low_dim_obs.pkl"
DESCRIPTIONS_FILE = "variation_descriptions.pkl"
VARIATION_FILE = "variation_number.pkl"
EPISODES = "episodes"
ALL_VARIATIONS = "all_variations"
IMAGE_KINDS = ("rgb", "depth", "mask")

#: Distances in [m] between which RLBench's cameras see; files hold depth as a part of the way.
NEAR = 0.01
FAR = {"left_shoulder": 3.2, "right_shoulder": 3.2, "wrist": 3.5, "overhead": 3.3, "front": 4.5}

_EPISODE = re.compile(r"episode(\d+)")
_VARIATION = re.compile(r"variation(\d+)")


@dataclass(frozen=True)
class EpisodePlace:
    """What the path of an episode's folder says about it.

    Attributes:
        folder: The folder.
        task: Name of the task.
        variation: Which variation of it; None in `all_variations`.
        number: The episode's number.
    """

    folder: Path
    task: str
    variation: int | None
    number: int

    @classmethod
    def of(cls, folder: str | Path) -> "EpisodePlace":
        """Reads a path; the folder need not exist.

        Raises:
            DataError: It is not that of an episode.
        """
        path = Path(folder).absolute()
        number = episode_number(path.name)
        _, task, variations, episodes, _ = ("", "", "", "", "", *path.parts)[-5:]
        variation = variation_number(variations)
        known = variation is not None or variations == ALL_VARIATIONS
        if number is None or episodes != EPISODES or not known or not task:
            raise DataError(
                f"{folder} is not the folder of an episode, which is called "
                f"<task>/variation<N>/{EPISODES}/episode<M> or "
                f"<task>/{ALL_VARIATIONS}/{EPISODES}/episode<M>"
            )
        return cls(Path(folder), task, variation, number)


def episode_number(name: str) -> int | None:
    """M of `episode<M>`; None for any other name."""
    match = _EPISODE.fullmatch(name)
    return int(match[1]) if match else None


def variation_number(name: str) -> int | None:
    """N of `variation<N>`; None for any other name."""
    match = _VARIATION.fullmatch(name)
    return int(match[1]) if match else None
