"""`robomtl demos check`: everything that is wrong with a folder of demonstrations."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tyro.conf import Positional

from robomtl.data import DataError, DemoKey, DemoStore, open_demos
from robomtl.data.counted import counted
from robomtl.data.rlbench import episode_problems, stray_problems
from robomtl.exceptions import ExperimentError
from robomtl.parallel import cores, parallel
from robomtl.progress import console, progress_bar


@dataclass(frozen=True)
class DemosCheckConfig:
    """Which demonstrations to check."""

    demos: Positional[Path]
    """Folder of demonstrations: what `robomtl collect` makes, or episodes that RLBench saved."""
    workers: int = field(default_factory=cores)
    """Processes that read."""


def check_demos(config: DemosCheckConfig) -> None:
    """Reads every file, decodes every picture, and prints what is wrong, a line for each problem.

    Raises:
        ExperimentError: There are problems.
        DataError: It is no folder of demonstrations.
    """
    demos = open_demos(config.demos)
    jobs: list[Path] | list[DemoKey]
    if isinstance(demos, DemoStore):
        problems, jobs = demos.strays(), demos.keys()
        found = parallel(partial(_demo_problems, config.demos), jobs, config.workers)
    else:
        problems, jobs = stray_problems(demos), demos.episodes()
        found = parallel(episode_problems, jobs, config.workers)
    with progress_bar("demonstrations", len(jobs)) as advance:
        for more in found:
            problems += [problem for problem in more if problem not in problems]
            advance(note=counted(len(problems), "problem"))
    for problem in problems:
        console.print(problem, markup=False, highlight=False, soft_wrap=True)
    if problems:
        count = counted(len(problems), "problem")
        raise ExperimentError(f"{count} in {config.demos}, listed above")
    console.print(
        f"{counted(len(jobs), 'demonstration')} in {config.demos}: nothing is wrong", soft_wrap=True
    )


def _demo_problems(store: Path, key: DemoKey) -> list[str]:
    try:
        DemoStore(store).load(*key)
    except (DataError, OSError) as error:
        return [str(error)]
    return []
