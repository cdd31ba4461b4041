"""Which runs comparisons on scenes consist of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from robomtl.agents.dense import METRICS, self_auxiliaries
from robomtl.agents.dense.metrics import Values
from robomtl.devices import resolve_device
from robomtl.methods.relationships import enumeration, helpful
from robomtl.methods.weightings import saal
from robomtl.scenes.training import SceneTrainConfig, train_scenes


class Plan:
    """The runs of a comparison. What was trained before is not trained again.

    Args:
        training: What all runs have in common; its method and seed are not used.
        out: Folder of the comparison.

    Attributes:
        tasks: The primary tasks.

    Raises:
        ExperimentError: This machine does not have the device.
    """

    def __init__(self, training: SceneTrainConfig, out: Path) -> None:
        self.out = out
        self.tasks = training.primary or training.tasks
        device = resolve_device(training.device)
        self._common = replace(training, primary=self.tasks, device=device)
        self._known: dict[tuple[tuple[str, ...], int], dict[str, Values]] = {}

    def folder(self, name: str, seed: int) -> Path:
        """Return the folder of a run: of a method, or of equally weighted tasks "a+b"."""
        return self.out / "runs" / f"{name}-{seed}"

    def alone(self, seed: int) -> Values:
        """Return the test metrics of networks that learn one primary task each."""
        return {task: self._equal((task,), seed)["test"][task] for task in self.tasks}

    def run(self, method: str, seed: int) -> Values:
        """Return the test metrics of a method."""
        training = replace(self._common, method=method, seed=seed)
        if method.startswith("saal"):
            training = self._with_transfers(training)
        return train_scenes(training, self.folder(method, seed))["test"]

    def shared(self, tasks: tuple[str, ...], seed: int) -> SceneTrainConfig:
        """Return how equally weighted tasks are learned that share the whole encoder."""
        return replace(
            self._common,
            method="equal",
            tasks=tasks,
            primary=tasks,
            self_auxiliaries=(),
            seed=seed,
            network=replace(self._common.network, sharing="full"),
        )

    def performance(self, tasks: tuple[str, ...], seed: int, split: str) -> dict[str, float]:
        """Return how well a network learns each of some tasks, by `quality` on a split."""
        values = self._equal(tasks, seed)[split]
        return {task: quality(task, values[task]) for task in tasks}

    def gain(self, seed: int, split: str) -> Tensor:
        """Return the enumeration of pairs of tasks (SAAL, Eq. 5), by `quality` on a split."""
        return enumeration(self.tasks, partial(self.performance, seed=seed, split=split))

    def transfer(self, source: str, target: str, seed: int) -> dict[str, Values]:
        """Return the metrics of a target that is read from what a source has learned alone."""
        self._equal((source,), seed)
        training = replace(self.shared((target,), seed), encoder=self._folder((source,), seed))
        return train_scenes(training, self.folder(f"transfer-{source}-to-{target}", seed))

    def _equal(self, tasks: tuple[str, ...], seed: int) -> dict[str, Values]:
        """Metrics of a network that learns some tasks alone, and shares all of the encoder."""
        if (tasks, seed) not in self._known:
            run = train_scenes(self.shared(tasks, seed), self._folder(tasks, seed))
            self._known[tasks, seed] = run
        return self._known[tasks, seed]

    def _folder(self, tasks: tuple[str, ...], seed: int) -> Path:
        return self.folder("+".join(("only", *tasks)), seed)

    def _with_transfers(self, training: SceneTrainConfig) -> SceneTrainConfig:
        """Branches and self-auxiliaries for SAAL, and coefficients from an enumeration.

        The enumeration (SAAL, Eq. 5) takes a transfer s->t if t is learned better together with s
        than alone, by a network that shares the whole encoder. Better is ours: by `quality` on the
        validation images. What is not taken is not computed, unless that is everything. SAAL_w
        does without, and so takes all transfers.
        """
        training = replace(training, network=replace(training.network, sharing="half"))
        transfers = self_auxiliaries(self.tasks)
        if training.method.startswith("saal_w"):
            return replace(training, self_auxiliaries=transfers)
        gain = self.gain(training.seed, "validation")
        useful = tuple(saal.self_auxiliaries(self.tasks, helpful(gain, self.tasks)))
        taken = useful or transfers
        weights = {
            **dict.fromkeys(training.tasks, 1.0),
            **dict.fromkeys(taken, float(bool(useful))),
        }
        return replace(training, self_auxiliaries=taken, weights=weights)


def quality(task: str, values: Mapping[str, float]) -> float:
    """Return a task's first metric, negated where less is better."""
    name, sign = next(iter(METRICS[task].items()))
    return sign * values[name]
