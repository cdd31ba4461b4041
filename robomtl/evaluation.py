"""Success rates of a trained policy, over episodes it has not seen."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rich.table import Table
from tyro.conf import Positional

from robomtl import envs
from robomtl.agents import KeyframePolicy
from robomtl.confidence import wilson_interval
from robomtl.data import DemoKey
from robomtl.data.counted import counted
from robomtl.devices import Device, resolve_device
from robomtl.distinct import check_distinct
from robomtl.environments import kept_environment, other_simulator
from robomtl.envs.robot import check_variation
from robomtl.episode import Episode, run_episode
from robomtl.episode_log import EpisodeLog
from robomtl.exceptions import ExperimentError, RunFolderError
from robomtl.outputs import check_file
from robomtl.parallel import check_workers, cores, parallel
from robomtl.progress import console, progress_bar
from robomtl.versions import versions
from robomtl.written import read_json, write_json

# Demonstrations have seeds below 500,000 and checkpoints are chosen on seeds below this one.
FIRST_SEED = 1_000_000
EPISODES_PER_SEED = 100_000


@dataclass(frozen=True)
class EvaluateConfig:
    """Which policy to evaluate, and on how many episodes."""

    run: Positional[Path]
    """Folder of a training run."""
    episodes: int = 100
    """Episodes of each task."""
    seed: int = 0
    """Chooses the episodes; the same seed means the same episodes for every policy."""
    tasks: tuple[str, ...] = ()
    """Tasks to evaluate; without any, all that the policy was trained on."""
    variation: int = 0
    """Variation of the tasks."""
    simulator: envs.Simulator = "tabletop"
    """Where the policy acts, which is where it was taught: "rlbench" is the real one, which must be
    installed, "metaworld" has tasks such as reach-v3."""
    device: Device = "cpu"
    """Where the policy computes; each worker holds its own copy there."""
    workers: int = field(default_factory=cores)
    """Processes, each with its own simulator; on the tabletop the result does not depend on their
    number."""
    json: Path | None = None
    """Also write the summary to this file."""


def evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Runs the episodes that are not recorded yet, and writes and prints the success rates.

    The folder `RUN/evaluations/<name>` holds an `episodes.jsonl` and a `summary.json`. Its name
    names the simulator unless it is the tabletop, and contains a digest of the policy and of all
    versions, so that episodes of another policy, or in another simulator, never mix with these. Its
    summary is of all tasks and episodes that were asked for so far.

    Returns:
        The summary of what was asked for now: "success" {task: rate}, "mean", "episodes" (per
        task), "confidence" {task: [low, high]} (95 % Wilson), and what it takes to repeat it.

    Raises:
        RunFolderError: `run` holds no policy, or a damaged file of earlier episodes.
        ExperimentError: A task the policy was not trained on, or one twice, or one of another
            simulator; no episode; training has replaced the policy since; or `json` cannot be a
            file.
        UnknownNameError: The simulator has no such task or variation.
        MissingSimulatorError: The simulator is not installed.
        JobError: An episode raised an error; the message names it. Finished ones are kept.
    """
    check_workers(config.workers)
    if config.json is not None:
        check_file(config.json)
    policy_file = policy_path(config.run)
    content = policy_file.read_bytes()
    digest = _digest(content)
    tasks = _tasks(config, KeyframePolicy.load(policy_file))
    simulator = envs.environment_class(config.simulator)
    for task in tasks:
        if other := other_simulator(task, config.simulator):
            raise ExperimentError(
                f"the policy's task {task} is {other}'s, not {config.simulator}'s: "
                f"give --simulator {other}"
            )
        check_variation(task, config.variation, simulator.variation_count(task))
    used = versions() | simulator.versions()
    name = f"variation{config.variation}-seed{config.seed}-{_digest(content, used)}"
    if config.simulator != "tabletop":
        name = f"{config.simulator}-{name}"
    folder = config.run / "evaluations" / name
    keys = planned(config, tasks)
    device = resolve_device(config.device)
    play = partial(_play, policy_file, device, digest, config.simulator)
    file = folder / "summary.json"
    with EpisodeLog(folder / "episodes.jsonl") as log:
        before = _summarised(file, config, log)
        missing = [key for key in keys if key not in log.episodes]
        with progress_bar("episodes", len(keys), len(keys) - len(missing)) as advance:
            for episode in parallel(play, missing, config.workers):
                log.append(episode)
                advance()

    def summary_of(some: Iterable[DemoKey]) -> dict[str, Any]:
        summary = summarise([log.episodes[key] for key in some])
        return summary | {
            "simulator": config.simulator,
            "seed": config.seed,
            "variation": config.variation,
            "max_steps": {task: simulator.step_limit(task) for task in summary["success"]},
            "policy": {"file": str(policy_file), "digest": digest},
            "versions": used,
        }

    write_json(file, summary_of(dict.fromkeys([*before, *keys])))
    summary = summary_of(keys)
    if config.json is not None:
        write_json(config.json, summary)
    console.print(success_table(summary))
    return summary


def policy_path(run: Path) -> Path:
    """The policy of a run.

    Raises:
        RunFolderError: There is none.
    """
    path = run / "checkpoints" / "policy.pt"
    if not path.is_file():
        remedy = "`robomtl train` makes one"
        if (run / "policy.pt").is_file():
            remedy = "it is a run of `robomtl rl train`, which `robomtl rl evaluate` measures"
        raise RunFolderError(f"no policy in {run} ({path} is missing): {remedy}")
    return path


def newest_summary(run: Path) -> dict[str, Any] | None:
    """The summary that was last written for the run's present policy, or None."""
    digest = _digest(policy_path(run).read_bytes())
    files = (run / "evaluations").glob("*/summary.json")
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        summary = read_json(file)
        if summary["policy"]["digest"] == digest:
            return summary
    return None


def planned(config: EvaluateConfig, tasks: tuple[str, ...]) -> list[DemoKey]:
    """The episodes that a config asks for, task by task; they do not depend on the policy.

    Raises:
        ExperimentError: `episodes` is not within 1..100,000.
    """
    if not 1 <= config.episodes <= EPISODES_PER_SEED or config.seed < 0:
        raise ExperimentError(
            f"episodes must be within 1 to {EPISODES_PER_SEED} and the seed not negative: "
            f"{counted(config.episodes, 'episode')}, seed {config.seed}"
        )
    first = FIRST_SEED + EPISODES_PER_SEED * config.seed
    seeds = range(first, first + config.episodes)
    return [DemoKey(task, config.variation, seed) for task in tasks for seed in seeds]


def summarise(episodes: list[Episode]) -> dict[str, Any]:
    """Success rates with their intervals, mean over tasks, and how episodes failed."""
    by_task = defaultdict(list)
    for episode in episodes:
        by_task[episode.task].append(episode)
    won = {task: sum(one.success for one in ones) for task, ones in by_task.items()}
    success = {task: won[task] / len(ones) for task, ones in by_task.items()}
    return {
        "success": success,
        "mean": sum(success.values()) / len(success),
        "episodes": min(map(len, by_task.values())),
        "confidence": {task: wilson_interval(won[task], len(by_task[task])) for task in by_task},
        "steps": {task: sum(e.steps for e in ones) / len(ones) for task, ones in by_task.items()},
        "errors": {t: Counter(e.error for e in ones if e.error) for t, ones in by_task.items()},
    }


def success_table(summary: dict[str, Any]) -> Table:
    """The success rates for a terminal."""
    title = f"Success over {counted(summary['episodes'], 'episode')} per task"
    table = Table("task", title=title)
    for name in ("success", "95 % interval", "mean steps", "errors"):
        table.add_column(name, justify="right")
    for task, rate in summary["success"].items():
        low, high = summary["confidence"][task]
        table.add_row(
            task,
            f"{rate:.2f}",
            f"{low:.2f} – {high:.2f}",
            f"{summary['steps'][task]:.1f}",
            ", ".join(f"{n} {name}" for name, n in summary["errors"][task].items()) or "–",
        )
    table.add_section()
    table.add_row("mean", f"[bold]{summary['mean']:.3f}[/]")
    return table


def _summarised(file: Path, config: EvaluateConfig, log: EpisodeLog) -> list[DemoKey]:
    """The episodes that a folder's summary is of so far."""
    if not file.exists():
        return []
    summary = read_json(file)
    keys = planned(replace(config, episodes=summary["episodes"]), tuple(summary["success"]))
    return [key for key in keys if key in log.episodes]


def _digest(policy: bytes, used: Mapping[str, str] | None = None) -> str:
    sha = hashlib.sha256(policy)
    if used is not None:
        sha.update(json.dumps(used).encode())
    return sha.hexdigest()[:12]


def _tasks(config: EvaluateConfig, policy: KeyframePolicy) -> tuple[str, ...]:
    unknown = set(config.tasks) - set(policy.tasks)
    if unknown:
        raise ExperimentError(
            f"the policy was not trained on {', '.join(sorted(unknown))}; its tasks: "
            f"{', '.join(policy.tasks)}"
        )
    check_distinct("tasks", config.tasks)
    return config.tasks or policy.tasks


@lru_cache(maxsize=1)
def _kept_policy(path: Path, device: str, digest: str) -> KeyframePolicy:
    policy = KeyframePolicy.load(path, device=device)
    if _digest(path.read_bytes()) != digest:
        raise ExperimentError(
            f"training has replaced the policy {path} since its evaluation began; run it again"
        )
    return policy


def _play(path: Path, device: str, digest: str, simulator: envs.Simulator, key: DemoKey) -> Episode:
    policy = _kept_policy(path, device, digest)
    cameras, size = policy.cameras, policy.image_size
    env = kept_environment(key.task, key.variation, cameras, size, simulator)
    return run_episode(env, policy, key.task, key.seed)
