"""What is logged about learning, computed only when something is logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stable_baselines3.common.logger import Logger
from torch import Tensor

from robomtl.agents.sac.episodes import TaskEpisodes
from robomtl.agents.sac.objectives import ActorObjective, CriticObjective, UpdateBatch
from robomtl.methods import Record
from robomtl.methods.gradients import GradientBuffer

_NOT_PRINTED = ("stdout", "log")  # a table of all tasks is longer than any screen


class Diagnostics:
    """Remembers the last update, and says what the methods did with it.

    Args:
        objectives: Of "critic" and "actor".
    """

    def __init__(self, objectives: Mapping[str, CriticObjective | ActorObjective]) -> None:
        self._objectives = objectives
        self._last: dict[str, tuple[Record, UpdateBatch]] = {}
        self._buffer = GradientBuffer()

    def note(self, part: str, record: Record, batch: UpdateBatch) -> None:
        """Remember the last update of critics or actor."""
        self._last[part] = record, batch

    def log(self, logger: Logger, episodes: TaskEpisodes, log_temperatures: Tensor) -> None:
        """Record everything under "<task>/<what>", and means under "train/<what>"."""
        tasks = episodes.tasks
        _each(logger, "return", episodes.returns())
        _each(logger, "success", success := episodes.success())
        if success:
            logger.record("rollout/success", sum(success.values()) / len(success))
        found = log_temperatures.detach().exp().expand(len(tasks)).tolist()
        _each(logger, "temperature", dict(zip(tasks, found, strict=True)))
        logger.record("train/ent_coef", sum(found) / len(found))
        for part, (record, batch) in self._last.items():
            _each(logger, f"{part}_loss", record.losses)
            logger.record(f"train/{part}_loss", sum(record.losses.values()) / len(tasks))
            _each(logger, f"{part}_weight", record.weights)
            if len(tasks) > 1:
                self._log_conflicts(logger, part, self._with_gram(part, record, batch))

    def _with_gram(self, part: str, record: Record, batch: UpdateBatch) -> Record:
        """Return a record with a Gram matrix: that of the step, or one of now on its samples."""
        objective: Any = self._objectives[part]
        if record.gram is not None or not objective.shared_parameters():
            return record
        matrix = self._buffer.compute(objective, batch, lambda losses: None)
        return replace(record, gram=matrix.gram)

    def _log_conflicts(self, logger: Logger, part: str, record: Record) -> None:
        norms, cosines = record.gradient_norms, record.cosines
        if norms is None or cosines is None:
            return
        _each(logger, f"{part}_coefficient", record.coefficients)
        _each(logger, f"{part}_gradient_norm", norms)
        count = len(cosines)
        others = (cosines.sum(1) - cosines.diagonal()) / (count - 1)
        _each(logger, f"{part}_cosine", dict(zip(norms, others.tolist(), strict=True)))
        logger.record(f"train/{part}_cosine", float(others.mean()))
        logger.record(f"train/{part}_lowest_cosine", float(cosines.min()))
        logger.record(f"train/{part}_condition_number", record.condition_number)


def _each(logger: Logger, what: str, values: Mapping[str, float]) -> None:
    for task, value in values.items():
        logger.record(f"{task}/{what}", value, exclude=_NOT_PRINTED)
