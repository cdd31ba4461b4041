"""A folder of saved episodes, read as a `DemoStore` is."""

from collections.abc import Iterator
from pathlib import Path

from robomtl.data.demo import Demo, DemoKey
from robomtl.data.exceptions import (
    DataError,
    MissingDemoError,
    UnsupportedFormatError,
)
from robomtl.data.rlbench import layout
from robomtl.data.rlbench.checksums import EpisodeFiles
from robomtl.data.rlbench.reading import read_rlbench_demo, read_variation


class RLBenchFolder:
    """Demonstrations that RLBench, PerAct or `write_rlbench_demo` saved, by task.

    `<path>/<task>/variation<N>/episodes/episode<M>`, or PerAct's `all_variations` in place of
    `variation<N>`. The path may also be that of one task's folder, which is then the only task.
    A key's seed is the episode's number. The pictures of a demonstration are decoded when they are
    looked at.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens the folder.

        Raises:
            DataError: It holds no episode.
            UnsupportedFormatError: A task has episodes in RLBench's and in PerAct's places, which
                PerAct's generator makes twice of the same demonstrations.
        """
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError(f"there is no folder at {self.path}")
        self._tasks = {folder.absolute().name: folder for folder in _tasks(self.path)}
        if not self._tasks:
            raise DataError(
                f"{self.path} holds no episodes of RLBench's: looked for "
                f"<task>/variation<N>/{layout.EPISODES} and <task>/{layout.ALL_VARIATIONS}/"
                f"{layout.EPISODES} in it"
            )
        for task, folder in self._tasks.items():
            names = _variations(folder)
            if layout.ALL_VARIATIONS in names and len(names) > 1:
                raise UnsupportedFormatError(
                    f"{folder} has episodes of {task} in {' and '.join(names)}; move either "
                    f"{layout.ALL_VARIATIONS} or the others elsewhere"
                )

    def load(self, task: str, variation: int, seed: int) -> Demo:
        """Reads a demonstration; `folder.load(*key)` takes a `DemoKey`.

        Raises:
            MissingDemoError: The folder does not hold it.
            DataError: As for `read_rlbench_demo`.
        """
        key = DemoKey(task, variation, seed)
        folder = self._episode(key)
        demo = read_rlbench_demo(folder) if folder is not None else None
        if demo is None or demo.key != key:
            raise MissingDemoError(
                f"{self.path} holds no {key}; its tasks: {', '.join(self._tasks)}"
            )
        return demo

    def keys(self, task: str | None = None) -> list[DemoKey]:
        """What the folder holds, sorted; of one task only if it is named.

        Raises:
            CorruptDemoError: An episode of `all_variations` does not say which one it is of.
        """
        return sorted(map(_key, self.episodes(task)))

    def episodes(self, task: str | None = None) -> list[Path]:
        """The folders of all episodes, in the order of their names."""
        return [
            episode
            for name, folder in self._tasks.items()
            if task in (None, name)
            for variation in _variations(folder)
            for episode in sorted((folder / variation / layout.EPISODES).iterdir())
            if layout.episode_number(episode.name) is not None
        ]

    def __contains__(self, key: DemoKey) -> bool:
        folder = self._episode(key)
        return folder is not None and _key(folder) == key

    def __len__(self) -> int:
        return len(self.episodes())

    def __iter__(self) -> Iterator[Demo]:
        """Loads one demonstration after the other, in the order of their keys."""
        return (self.load(*key) for key in self.keys())

    def __repr__(self) -> str:
        return f"RLBenchFolder({str(self.path)!r}: {len(self)} of {', '.join(self._tasks)})"

    def _episode(self, key: DemoKey) -> Path | None:
        """Where an episode of this number is; in `all_variations` it may be of another one."""
        if key.task not in self._tasks:
            return None
        for variation in (f"variation{key.variation}", layout.ALL_VARIATIONS):
            folder = self._tasks[key.task] / variation / layout.EPISODES / f"episode{key.seed}"
            if folder.is_dir():
                return folder
        return None


def holds_episodes(path: Path) -> bool:
    """Whether a folder is one that `RLBenchFolder` opens."""
    return any(True for _ in _tasks(path))


def _tasks(path: Path) -> Iterator[Path]:
    """The folders of tasks in a folder, which may be one itself."""
    if _variations(path):
        yield path
    else:
        yield from (child for child in sorted(path.iterdir()) if _variations(child))


def _key(episode: Path) -> DemoKey:
    place = layout.EpisodePlace.of(episode)
    variation = place.variation
    if variation is None:
        variation = read_variation(EpisodeFiles(episode), place)
    return DemoKey(place.task, variation, place.number)


def _variations(task: Path) -> list[str]:
    """Names of the folders of a task that hold episodes."""
    return sorted(
        child.name
        for child in (task.iterdir() if task.is_dir() else ())
        if (layout.variation_number(child.name) is not None or child.name == layout.ALL_VARIATIONS)
        and (child / layout.EPISODES).is_dir()
    )
