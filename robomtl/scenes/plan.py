"""Which runs comparisons on scenes consist of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tyro.conf import Suppress

from robomtl import methods
from robomtl.agents.dense import METRICS, Head
from robomtl.agents.dense.metrics import Values
from robomtl.data.scenes import load_scenes
from robomtl.devices import resolve_device
from robomtl.methods import Combination, UnsuitableObjectiveError
from robomtl.methods.relationships import enumeration
from robomtl.methods.weightings import saal
from robomtl.outputs import check_folder
from robomtl.scenes.training import (
    SceneTrainConfig,
    check_run,
    check_training,
    train_scenes,
)

Run = tuple[SceneTrainConfig, Path]
"""How a network is trained, and the folder that it goes to."""


@dataclass(frozen=True, kw_only=True)
class SharedSceneTrainConfig(SceneTrainConfig):
    """What runs of several methods and seeds have in common; the two are no options of it."""

    method: Suppress[str] = "equal"
    seed: Suppress[int] = 0


class Plan:
    """The runs of a comparison. What was trained before is not trained again.

    Args:
        training: What all runs have in common; its method and seed are not used, and its weights
            and their rate by the runs of methods alone that are given or learn some.
        out: Folder of the comparison.

    Attributes:
        tasks: The primary tasks.

    Raises:
        ExperimentError: This machine does not have the device, a file is in place of the folder, or
            what `check_training` refuses.
        UnknownDenseTaskError: There is no such task.
        DataError: The scenes cannot be read.
    """

    def __init__(self, training: SceneTrainConfig, out: Path) -> None:
        check_training(training)
        check_folder(out)
        for task in training.tasks:
            Head.parse(task)
        self.out = out
        self.tasks = training.primary or training.tasks
        device = resolve_device(training.device)
        self._common = replace(training, primary=self.tasks, device=device)
        self._recipe = load_scenes(training.data).recipe
        self._known: dict[tuple[tuple[str, ...], int], dict[str, Values]] = {}

    def folder(self, name: str, seed: int) -> Path:
        """Return the folder of a run that has a name, such as that of a method."""
        return self.out / "runs" / f"{name}-{seed}"

    def alone(self, seed: int) -> Values:
        """Return the test metrics of networks that learn one primary task each."""
        return {task: self._equal((task,), seed)["test"][task] for task in self.tasks}

    def check_runs(self, runs: Iterable[Run]) -> None:
        """Refuse to continue runs with other settings than theirs, before any is trained.

        Raises:
            CheckpointError: A folder holds a run with other settings.
        """
        for training, folder in runs:
            check_run(training, folder, self._recipe)

    def check(self, method: str, seeds: Sequence[int]) -> None:
        """Refuse a method that could not be trained, before anything is.

        Raises:
            MethodError: There is no such method, or it lacks tasks, weights or a representation
                that it needs.
            CheckpointError: A folder that the method would need holds a run with other settings.
        """
        training = self._training(method, seed=0)
        if _saal(method):
            training = self._with_transfers(training, self._transfers())
        made = methods.make(
            method,
            (*training.tasks, *training.self_auxiliaries),
            self.tasks,
            optimiser=torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1),
            weights=training.weights or None,
            rate=training.weight_rate,
        )
        sharing = training.network.sharing
        if isinstance(made, Combination) and made.at_representation and sharing != "full":
            raise UnsuitableObjectiveError(
                f"{method!r} works on the gradients of a representation that all tasks share, and "
                f"with sharing {sharing!r} there is none: it goes with sharing 'full'."
            )
        # Which transfers help, and so what counts how much, is found by training.
        enumerated = _saal(method) not in (None, "saal_w")
        heads = map(Head.parse, self._transfers() if enumerated else ())
        pairs = {self._pair(head.source, head.target) for head in heads}
        self.check_runs(self.only(pair, seed) for pair in pairs for seed in seeds)
        for seed in seeds:
            check_run(
                replace(training, seed=seed),
                self.folder(method, seed),
                self._recipe,
                unknown=("self_auxiliaries", "weights") if enumerated else (),
            )

    def run(self, method: str, seed: int) -> Values:
        """Return the test metrics of a method."""
        training = self._training(method, seed)
        saal_method = _saal(method)
        if saal_method == "saal_w":
            training = self._with_transfers(training, self._transfers())
        elif saal_method:
            training = self._with_transfers(training, self._helpful(seed))
        return train_scenes(training, self.folder(method, seed))["test"]

    def _training(self, method: str, seed: int) -> SceneTrainConfig:
        weights = self._common.weights if "fixed" in method.split("+") else {}
        rate = self._common.weight_rate if methods.learns_weights(method) else None
        return replace(self._common, method=method, seed=seed, weights=weights, weight_rate=rate)

    def shared(self, tasks: tuple[str, ...], seed: int) -> SceneTrainConfig:
        """Return how equally weighted tasks are learned that share the whole encoder."""
        return replace(
            self._common,
            method="equal",
            weights={},
            weight_rate=None,
            tasks=tasks,
            primary=tasks,
            self_auxiliaries=(),
            seed=seed,
            network=replace(self._common.network, sharing="full"),
        )

    def only(self, tasks: tuple[str, ...], seed: int) -> Run:
        """Return the run of a network that learns some tasks alone, as `shared` says."""
        return self.shared(tasks, seed), self.folder("+".join(("only", *tasks)), seed)

    def transferred(self, source: str, target: str, seed: int) -> Run:
        """Return the run of a target that is read from what a source has learned alone."""
        _, encoder = self.only((source,), seed)
        training = replace(self.shared((target,), seed), encoder=encoder)
        return training, self.folder(f"transfer-{source}-to-{target}", seed)

    def performance(self, tasks: tuple[str, ...], seed: int, split: str) -> dict[str, float]:
        """Return how well a network learns each of some tasks, by `quality` on a split."""
        values = self._equal(tasks, seed)[split]
        return {task: quality(task, values[task]) for task in tasks}

    def gain(self, seed: int, split: str) -> Tensor:
        """Return the enumeration of pairs of primary tasks (SAAL, Eq. 5), by `quality`."""
        return enumeration(self.tasks, partial(self.performance, seed=seed, split=split))

    def transfer(self, source: str, target: str, seed: int) -> dict[str, Values]:
        """Return the metrics of `transferred`."""
        self._equal((source,), seed)
        return train_scenes(*self.transferred(source, target, seed))

    def _equal(self, tasks: tuple[str, ...], seed: int) -> dict[str, Values]:
        """Metrics of a network that learns some tasks alone, and shares all of the encoder."""
        if (tasks, seed) not in self._known:
            self._known[tasks, seed] = train_scenes(*self.only(tasks, seed))
        return self._known[tasks, seed]

    def _transfers(self) -> tuple[str, ...]:
        """All transfers from any task to a primary one; to others, nobody wants to transfer."""
        tasks = self._common.tasks
        return tuple(saal.self_auxiliaries(tasks, dict.fromkeys(self.tasks, tasks)))

    def _pair(self, source: str, target: str) -> tuple[str, ...]:
        return tuple(task for task in self._common.tasks if task in (source, target))

    def _helpful(self, seed: int) -> tuple[str, ...]:
        """The transfers that an enumeration of pairs of tasks takes (SAAL, Eq. 5).

        It takes s->t if t is learned better together with s than alone, by a network that shares
        the whole encoder. Better is ours: by `quality` on the validation images.
        """

        def helps(source: str, target: str) -> bool:
            along, alone = (
                self.performance(tasks, seed, "validation")[target]
                for tasks in (self._pair(source, target), (target,))
            )
            return along > alone

        heads = map(Head.parse, self._transfers())
        return tuple(head.name for head in heads if helps(head.source, head.target))

    def _with_transfers(
        self, training: SceneTrainConfig, useful: tuple[str, ...]
    ) -> SceneTrainConfig:
        """Branches, self-auxiliaries and coefficients for SAAL.

        What is not useful is not computed, unless that is everything: then all transfers count 0.
        SAAL_w takes no coefficients.
        """
        taken = useful or self._transfers()
        weights = {
            **dict.fromkeys(training.tasks, 1.0),
            **dict.fromkeys(taken, float(bool(useful))),
        }
        return replace(
            training,
            network=replace(training.network, sharing="half"),
            self_auxiliaries=taken,
            weights={} if _saal(training.method) == "saal_w" else weights,
        )


def _saal(method: str) -> str | None:
    """Return which of SAAL's strategies is a method's weighting, if any."""
    return next((part for part in method.split("+") if part.startswith("saal")), None)


def quality(task: str, values: Mapping[str, float]) -> float:
    """Return a task's first metric, negated where less is better."""
    name, sign = next(iter(METRICS[task].items()))
    return sign * values[name]
