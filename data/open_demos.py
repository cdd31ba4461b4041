"""One way to open demonstrations, whoever made them."""

from pathlib import Path

from robomtl.data.exceptions import DataError
from robomtl.data.rlbench import RLBenchFolder
from robomtl.data.rlbench.folder import holds_episodes
from robomtl.data.store import DemoStore


def open_demos(path: str | Path) -> DemoStore | RLBenchFolder:
    """Opens a folder of demonstrations: a `DemoStore`, or episodes in RLBench's saved format.

    Both have `keys`, `load`, `in`, `len` and iteration. What is in the folder decides.

    Raises:
        DataError: It holds neither, or both.
        UnsupportedFormatError: As for `RLBenchFolder`.
    """
    folder = Path(path)
    stored = any(folder.glob("*/variation*/demo_*.npz"))
    saved = folder.is_dir() and holds_episodes(folder)
    if stored and saved:
        raise DataError(f"{folder} holds demonstrations of robomtl's and of RLBench's; part them")
    if saved:
        return RLBenchFolder(folder)
    if stored:
        return DemoStore(folder)
    raise DataError(
        f"{folder} has no demonstrations: neither <task>/variation<N>/demo_<seed>.npz, which "
        "`robomtl collect` makes, nor episodes of RLBench's, <task>/variation<N>/episodes/"
        "episode<M> or <task>/all_variations/episodes/episode<M>"
    )
