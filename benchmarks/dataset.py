"""From nothing to a keyframe dataset of all ten tasks, as the command line makes it."""

import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from robomtl import envs
from robomtl.collection import CollectConfig, collect
from robomtl.keyframing import KeyframesConfig, keyframes

_DEMOS = 100  # of each task


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demos, dataset = Path(folder) / "demos", Path(folder) / "keyframes.zarr"
        start = time.perf_counter()
        collect(CollectConfig(out=demos, demos_per_task=_DEMOS))
        collected = time.perf_counter()
        keyframes(KeyframesConfig(demos=demos, out=dataset))
        rendered = time.perf_counter()
    table = Table("stage", title=f"{_DEMOS} demonstrations of each of {len(envs.TASKS)} tasks")
    table.add_column("seconds", justify="right")
    table.add_row("collect", f"{collected - start:.0f}")
    table.add_row("keyframes, 3 cameras at 128 x 128", f"{rendered - collected:.0f}")
    table.add_row("together", f"{rendered - start:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
