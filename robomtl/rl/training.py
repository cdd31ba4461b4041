"""Multi-task SAC trained by a protocol, resumable with its replay."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from robomtl.agents.sac import MultiTaskSAC
from robomtl.allocator import keep_freed_memory
from robomtl.checkpoint import check_settings
from robomtl.confidence import wilson_interval
from robomtl.data.locking import FolderLock
from robomtl.devices import resolve_device
from robomtl.exceptions import RunFolderError
from robomtl.lines import read_lines
from robomtl.outputs import check_folder
from robomtl.progress import Advance, progress_bar
from robomtl.rl.card import card_line, card_protocol
from robomtl.rl.config import RLTrainConfig, check_training
from robomtl.rl.environment import evaluation_env, training_env
from robomtl.rl.log import RunLog
from robomtl.rl.policy import save_policy
from robomtl.rl.rollouts import successes
from robomtl.versions import versions
from robomtl.written import read_json, write_json

# What may differ between a run and its resumption without changing its results.
_FREE = ("versions", "differs", "summary", "modified")


def train_rl(config: RLTrainConfig, out: Path) -> dict[str, Any]:
    """Train, or continue a run that was interrupted, and return its result.

    `out` gets config.json, metrics.jsonl, evaluations.jsonl, tensorboard/, checkpoint/ with the
    replay, policy.pt and, at the end, result.json. Checkpoints are made where episodes begin, so
    that a run which continues from one ends with the same bits as one that was never interrupted,
    on the same machine and number of threads. One that is finished is not trained again.

    Returns:
        "card", "method", "seed"; "final" and "max_over_time" with "mean" and "success" by task;
        and what it took. "steps_per_second" is the speed of the process that ended the run, and
        None if the one before had made all steps.

    Raises:
        ExperimentError: Unknown protocol, a number makes no sense, no such device, or `out` is a
            file.
        UnknownNameError: The benchmark has no such task.
        EnvError: The seed or the number of goals is out of range.
        MethodError: There is no such method.
        SettingError: The method cannot train the learner, or one of its numbers makes no sense.
        RunFolderError: The folder holds something else than such a run, or a damaged file of one.
        CheckpointError: The folder's run has other settings, or its checkpoint is damaged.
        DatasetInUseError: Another process is training into this folder.
        MissingSimulatorError: Ray is asked for and not installed.
        SimulatorError: A simulator returned what is not finite; the last checkpoint is kept.
    """
    keep_freed_memory()
    check_training(config)
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        # First, so that what is in the folder stays as it was found.
        held.enter_context(FolderLock(out))
        check_run(config, out)
        if (out / "result.json").exists():
            return read_json(out / "result.json")
        run = _Run(config, out, held)
        write_json(out / "config.json", settings_of(config.card, config.origin))
        return run.train()


def check_run(config: RLTrainConfig, out: Path) -> None:
    """Refuse to train into a folder that holds something else; it need not exist.

    Raises:
        RunFolderError: It holds no run of multi-task SAC, or one whose config.json is damaged.
        CheckpointError: Its run has other settings.
    """
    if not (out / "config.json").exists():
        return
    theirs = read_json(out / "config.json")
    if "protocol" not in theirs:
        raise RunFolderError(
            f"{out} holds something else than a run of `robomtl rl train`: choose another folder "
            "with --out"
        )
    check_settings(out, theirs, settings_of(config.card, config.origin), _FREE)


class _Run:
    """Everything that changes while learning.

    Args:
        config: What to learn.
        out: Folder of the run.
        held: Closes what is opened here, also when something else cannot be opened.
    """

    def __init__(self, config: RLTrainConfig, out: Path, held: ExitStack) -> None:
        self.config, self.card, self.origin, self.out = config, config.card, config.origin, out
        self.tasks = tuple(self.card["tasks"])
        count = len(self.tasks)
        self.protocol = card_protocol(self.card)
        horizon = self.protocol.horizon
        self.checkpoint_interval = -(-config.checkpoint_interval // (count * horizon)) * horizon
        where = (self.protocol, self.tasks, config.seed, config.workers, config.transport)
        env = held.enter_context(closing(training_env(*where)))
        self.agent = MultiTaskSAC(
            env,
            replace(self.protocol.sac, method=config.method),
            seed=config.seed,
            device=resolve_device(config.device),
        )
        self.judge = held.enter_context(closing(evaluation_env(*where)))
        self.agent.action_space.seed(config.seed)
        self.checkpoint = out / "checkpoint"
        if (self.checkpoint / "state.pt").exists():
            self.agent.load_checkpoint(self.checkpoint)
        repeat = self.protocol.action_repeat
        log = RunLog(out, self._taken, self.tasks, card_line(self.card), repeat=repeat)
        self.log = held.enter_context(closing(log))
        self.agent.set_logger(self.log.logger)

    @property
    def steps(self) -> int:
        """Steps that each environment has taken."""
        return self._taken // len(self.tasks)

    @property
    def _taken(self) -> int:
        """Steps that all environments have taken together; the learner counts actions."""
        taken: int = self.agent.num_timesteps * self.protocol.action_repeat
        return taken

    def train(self) -> dict[str, Any]:
        """Learn what is left, and measure."""
        total = self.protocol.steps_per_task
        started, before = time.monotonic(), self.steps
        repeat = self.protocol.action_repeat
        with progress_bar(self.out.name, self.card["steps"], self._taken) as advance:
            progress = _Progress(advance, repeat, self._latest())
            while self.steps < total:
                steps = min(self._until_due(), total - self.steps)
                self.agent.learn(
                    steps // repeat * len(self.tasks),
                    callback=progress,
                    log_interval=len(self.tasks),  # episodes: once for each task
                    reset_num_timesteps=False,
                )
                if self.steps % self.protocol.interval == 0 or self.steps == total:
                    progress.success = self._evaluate()
                if self.steps % self.checkpoint_interval == 0 or self.steps == total:
                    # Last: what is logged must never be newer than what is resumed from.
                    self.agent.save_checkpoint(self.checkpoint)
        save_policy(self.out / "policy.pt", self.agent.actor, self.card, self.origin)
        seconds, learned = time.monotonic() - started, (self.steps - before) * len(self.tasks)
        speed = learned / seconds if learned else None
        result = self._result() | {"steps_per_second": speed}
        write_json(self.out / "result.json", result)
        return result

    def _until_due(self) -> int:
        """Steps of each environment until something else than learning is due."""
        intervals = (self.protocol.interval, self.checkpoint_interval)
        return min(interval - self.steps % interval for interval in intervals)

    def _evaluate(self) -> float:
        line = self._measure(self.protocol.evaluation_episodes)
        self.log.evaluated({"step": self._taken, **line})
        mean: float = line["mean"]
        return mean

    def _measure(
        self, episodes: int, on_episode: Callable[[], object] = lambda: None
    ) -> dict[str, Any]:
        won = successes(self.judge, self._act, episodes, on_episode)  # type: ignore[arg-type]
        return success_rates(won, episodes)

    def _act(self, observations: np.ndarray) -> np.ndarray:
        return self.agent.predict(observations, deterministic=True)[0]

    def _latest(self) -> float | None:
        lines = read_lines(self.out / "evaluations.jsonl")
        return lines[-1]["mean"] if lines else None

    def _result(self) -> dict[str, Any]:
        lines = read_lines(self.out / "evaluations.jsonl")
        best = max(lines, key=lambda line: line["mean"])
        episodes = self.protocol.final_episodes
        with progress_bar("final episodes", episodes * len(self.tasks)) as advance:
            final = self._measure(episodes, advance)
        return {
            "card": dict(self.card),
            **self.origin,
            "final": final,
            "max_over_time": best,
            "steps": self._taken,
            "updates": self.agent._n_updates,
            "versions": _versions(),
        }


class _Progress(BaseCallback):
    """Moves the progress bar on by the steps of all environments, with the latest success rate."""

    def __init__(self, advance: Advance, repeat: int, success: float | None) -> None:
        super().__init__()
        self.success = success
        self._advance = advance
        self._repeat = repeat
        self._started = time.monotonic()
        self._steps = 0

    def _on_step(self) -> bool:
        more = self.training_env.num_envs * self._repeat
        self._steps += more
        speed = self._steps / (time.monotonic() - self._started)
        success = "" if self.success is None else f", success {self.success:.2f}"
        self._advance(f"{speed:.0f} steps/s{success}", more)
        return True


def success_rates(won: Mapping[str, int], episodes: int) -> dict[str, Any]:
    """Return rates from counts: "mean", "success" and "confidence" by task, and "episodes"."""
    rates = {task: count / episodes for task, count in won.items()}
    return {
        "mean": sum(rates.values()) / len(rates),
        "success": rates,
        "confidence": {task: [*wilson_interval(count, episodes)] for task, count in won.items()},
        "episodes": episodes,
    }


def settings_of(card: Mapping[str, Any], origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's config.json holds: its method and seed, and its card with all settings.

    Args:
        card: The protocol card.
        origin: "method" and "seed".
    """
    plain = {name: value for name, value in card.items() if name != "sac"}
    return {**origin, **plain, **card["sac"], "versions": _versions()}


def _versions() -> dict[str, str]:
    found = versions()
    return found | {name: metadata.version(name) for name in ("metaworld", "stable-baselines3")}
