"""Success rates of a run's policy, over as many episodes as wanted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tyro.conf import FlagCreatePairsOff, Positional

from robomtl.checkpoint import check_settings
from robomtl.exceptions import ExperimentError
from robomtl.outputs import check_file
from robomtl.progress import console, progress_bar
from robomtl.rl.card import card_protocol
from robomtl.rl.config import RLTrainConfig, default_folder
from robomtl.rl.environment import evaluation_env
from robomtl.rl.film import film_task
from robomtl.rl.policy import LearnedPolicy
from robomtl.rl.rollouts import successes
from robomtl.rl.tables import evaluation_table, show
from robomtl.rl.training import settings_of, success_rates
from robomtl.written import read_json, write_json


@dataclass(frozen=True)
class RLEvaluateConfig:
    """Which policy to evaluate, and on how many episodes."""

    run: Positional[Path] = field(default_factory=lambda: default_folder(RLTrainConfig()))
    """Folder of a training run."""
    episodes: int = 50
    """Episodes of each task; up to the protocol's number of goals each has another one."""
    seed: int | None = None
    """Draws the goals; those of the training unless given."""
    video: FlagCreatePairsOff[bool] = False
    """Also film the first episode of each task into RUN/videos."""
    workers: int = 1
    """Processes that step the simulators; the result does not depend on their number."""
    json: Path | None = None
    """Also write the summary to this file."""


def evaluate_rl(config: RLEvaluateConfig) -> dict[str, Any]:
    """Run the episodes, write RUN/evaluations/*.json, and print the success rates.

    Returns:
        "mean", "success" and "confidence" (95 % Wilson) by task, "episodes", the protocol "card",
        and which policy on which goals it was.

    Raises:
        RunFolderError: There is no policy in the folder, or its config.json is damaged.
        CheckpointError: The policy is damaged, or not of the run that the folder is of.
        ExperimentError: No episode, or `json` cannot be a file.
        RenderingError: `video` is wanted, and there is no usable OpenGL.
    """
    if config.episodes < 1:
        raise ExperimentError(f"episodes must be at least 1, not {config.episodes}")
    if config.json is not None:
        check_file(config.json)
    path = config.run / "policy.pt"
    policy = LearnedPolicy.load(path)
    if (config.run / "config.json").exists():
        theirs = read_json(config.run / "config.json")
        check_settings(config.run, theirs, settings_of(policy.card, policy.origin), ("versions",))
    protocol = card_protocol(policy.card)
    seed = policy.origin["seed"] if config.seed is None else config.seed
    env = evaluation_env(protocol, policy.tasks, seed, config.workers)
    try:
        with progress_bar("episodes", config.episodes * len(policy.tasks)) as advance:
            won = successes(env, policy.act, config.episodes, advance)  # type: ignore[arg-type]
    finally:
        env.close()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    summary = success_rates(won, config.episodes) | {
        "goals_seed": seed,
        **policy.origin,
        "policy": {"file": str(path), "digest": digest},
        "card": policy.card,
    }
    name = f"goals{seed}-episodes{config.episodes}-{digest}.json"
    write_json(config.run / "evaluations" / name, summary)
    if config.json is not None:
        write_json(config.json, summary)
    show(evaluation_table(summary), policy.card)
    if config.video:
        _film(config, policy, seed)
    return summary


def _film(config: RLEvaluateConfig, policy: LearnedPolicy, seed: int) -> None:
    folder = config.run / "videos"
    with progress_bar("videos", len(policy.tasks)) as advance:
        for task in policy.tasks:
            film_task(policy, task, seed, folder / f"{task}.webp")
            advance()
    console.print(f"Videos: {folder}", markup=False, soft_wrap=True)
