"""Training on scenes: several dense-prediction tasks and one method, resumable to the bit."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from robomtl import methods
from robomtl.agents.dense import (
    DenseBatch,
    DenseNetwork,
    DenseNetworkConfig,
    SceneBatches,
    dense_batch,
    evaluate_dense,
    objective_of,
)
from robomtl.agents.dense.metrics import Values
from robomtl.agents.dense.transfer import TransferNetwork
from robomtl.allocator import keep_freed_memory
from robomtl.checkpoint import check_settings, load_checkpoint, save_checkpoint
from robomtl.data.locking import FolderLock
from robomtl.data.scenes import CLASSES, load_scenes
from robomtl.devices import Precision, resolve_precision
from robomtl.exceptions import ExperimentError, RunFolderError
from robomtl.methods.relationships import Affinities
from robomtl.metrics import Metrics
from robomtl.outputs import check_folder
from robomtl.progress import progress_bar
from robomtl.rates import check_rates
from robomtl.seeds import check_seed
from robomtl.steps import check_steps
from robomtl.written import write_json


@dataclass(frozen=True, kw_only=True)
class SceneTrainConfig:
    """How a network is trained on scenes."""

    data: Path = Path("runs/scenes/scenes.npz")
    """Scenes to learn from, as `robomtl scenes collect` makes them."""
    tasks: tuple[str, ...] = ("segmentation", "depth", "normals")
    """Tasks to learn; "noise" is the papers' sanity check."""
    primary: tuple[str, ...] = ()
    """Tasks that matter, the others are to help them; all tasks when none is named."""
    self_auxiliaries: tuple[str, ...] = ()
    """Transfers such as depth->normals, for SAAL with sharing "half": learned, then thrown away."""
    method: str = "equal"
    """Multi-task method, or a weighting and an aggregator joined by "+"."""
    weights: dict[str, float] = field(default_factory=dict)
    """Weight of each task, for methods that are given them."""
    weight_rate: float | None = None
    """Learning rate of learned task weights; the method's own when not given."""
    iterations: int = 4000
    """Optimisation steps."""
    batch_size: int = 8
    """Images in a batch."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """Adam, or the papers' stochastic gradient descent with momentum 0.9, weight decay 1e-4."""
    learning_rate: float = 1e-3
    """The optimiser's learning rate, which falls to zero along half a cosine."""
    seed: int = 0
    """Seed of initialisation and batches, and of what is random in the method."""
    device: str = "cpu"
    """Device to train on."""
    precision: Precision = "auto"
    """Number format of the convolutions while training: "auto" takes bf16 where the device computes
    in it, and f32 where it would only be emulated."""
    checkpoint_interval: int = 500
    """Steps between checkpoints."""
    log_interval: int = 50
    """Steps between lines of metrics."""
    encoder: Path | None = None
    """Folder of another run, whose encoder is taken as it is: only a small transfer module and the
    decoders are trained. For sharing "full"."""
    affinity_interval: int | None = None
    """Steps between measurements of what tasks do for each other; never when not given."""
    network: DenseNetworkConfig = field(default_factory=DenseNetworkConfig)


# What may differ between a run and its resumption without changing a bit of the result.
_FREE = ("data", "checkpoint_interval", "log_interval")


def train_scenes(config: SceneTrainConfig, out: Path) -> dict[str, Values]:
    """Train, or continue a run that was interrupted, and return the metrics of the network.

    `out` gets config.json, metrics.jsonl with each task's loss and weight over time, tensorboard/,
    checkpoints/last.pt and, at the end, result.json; and affinities.json if they are measured:
    `robomtl.methods.relationships.Affinity` by source and target, medians over the run. The
    network that is tested is the last one; the papers take the best epoch, Auto-lambda by the test
    set itself. A run that continues from a checkpoint ends with the same bits as one that was never
    interrupted, on the same machine and number of threads; on a GPU, sums may be rounded in another
    order. One that is finished already is not trained again.

    Args:
        config: How to train.
        out: Folder of the run.

    Returns:
        Metrics of the tasks on the "validation" and the "test" images.

    Raises:
        ExperimentError: No task, a primary one that is not among them, a number that makes no
            sense, or a file in place of the folder.
        RunFolderError: There is no run to take the encoder from.
        DataError: The scenes cannot be read.
        AgentError: Tasks and architecture do not go together, or there are too few images for a
            batch.
        CheckpointError: The folder's checkpoint is damaged or of a run with other settings.
        DatasetInUseError: Another process is training into this folder.
        NonFiniteLossError: A loss is NaN or infinite; the last checkpoint is left as it was.
    """
    keep_freed_memory()
    check_folder(out)
    run = _Run(config, out)
    with run.lock:
        return run.train()


def check_training(config: SceneTrainConfig) -> None:
    """Refuse numbers and tasks that make no sense, before anything is read or trained.

    Raises:
        ExperimentError: No task, a primary one that is not among them, a number of steps below 1, a
            learning rate that is not positive, or a negative seed.
    """
    if not config.tasks:
        raise ExperimentError("name at least one task to learn")
    if strangers := sorted(set(config.primary) - set(config.tasks)):
        raise ExperimentError(
            f"primary tasks {strangers} are not among the tasks {list(config.tasks)}"
        )
    check_steps(config, "iterations", "checkpoint_interval", "log_interval", "affinity_interval")
    check_rates(config, "learning_rate", "weight_rate")
    check_seed(config.seed)


def check_run(
    config: SceneTrainConfig,
    out: Path,
    recipe: Mapping[str, Any],
    *,
    unknown: Collection[str] = (),
) -> None:
    """Refuse to continue a run with other settings than its own, before anything is trained.

    Args:
        config: How it would be trained.
        out: Folder of the run; where none was begun, there is nothing to refuse.
        recipe: That of the scenes.
        unknown: Settings that are not known before other runs are trained; the encoder never is.

    Raises:
        CheckpointError: The folder's checkpoint is damaged or of a run with other settings.
    """
    if checkpoint_of(out).exists():
        theirs = json.loads(load_checkpoint(checkpoint_of(out))["settings"])
        ours = _settings(config, recipe, source=None)
        check_settings(out, theirs, ours, (*_FREE, "encoder", *unknown))


class _Run:
    """Everything that changes while training."""

    def __init__(self, config: SceneTrainConfig, out: Path) -> None:
        self.config = config
        self.out = out
        check_training(config)
        self.scenes = load_scenes(config.data)
        # Methods look ahead on other batches of the same images, as Auto-lambda does.
        self.batches, self.held_out = (
            SceneBatches(self.scenes, batch_size=config.batch_size, seed=config.seed, stream=stream)
            for stream in (0, 1)
        )
        heads = (*config.tasks, *config.self_auxiliaries)
        torch.manual_seed(config.seed)
        if config.encoder is None:
            self.source: dict[str, Any] | None = None
            network = DenseNetwork(heads, len(CLASSES), config.network)
        else:
            self.source = _source(config.encoder)
            network = TransferNetwork(heads, len(CLASSES), config.network, self.source["network"])
        self.network = network.to(config.device)
        precision = resolve_precision(config.precision, config.device)
        self.objective = objective_of(self.network, precision)
        # What one step changes in a loss is too little for half precision.
        self.precise = objective_of(self.network, "f32")
        self.affinities = Affinities(config.tasks)
        self.optimiser = _optimiser(self.network, config)
        self.method = methods.make(
            config.method,
            tasks=self.objective.tasks,
            primary=config.primary or config.tasks,
            optimiser=self.optimiser,
            weights=config.weights or None,
            rate=config.weight_rate,
            seed=config.seed,
        )
        self.iteration = 0
        out.mkdir(parents=True, exist_ok=True)
        self.lock = FolderLock(out)
        if self.checkpoint.exists():
            self._resume()
        write_json(out / "config.json", self._settings)

    @property
    def checkpoint(self) -> Path:
        return checkpoint_of(self.out)

    def train(self) -> dict[str, Values]:
        config = self.config
        self.network.train()
        with (
            Metrics(self.out, self.iteration) as metrics,
            progress_bar(self.out.name, config.iterations, self.iteration) as advance,
        ):
            while self.iteration < config.iterations:
                advance(note=f"loss {self._step(metrics):.3f}")
                due = self.iteration % config.checkpoint_interval == 0
                if due or self.iteration == config.iterations:
                    # Metrics first: what is logged must never be newer than what is resumed from.
                    metrics.write(self.iteration)
                    self._save()
                elif self.iteration % config.log_interval == 0:
                    metrics.write(self.iteration)
        splits = ("validation", "test")
        result = {split: evaluate_dense(self.network, self.scenes, split) for split in splits}
        write_json(self.out / "result.json", result)
        if config.affinity_interval:
            found = asdict(self.affinities.median())
            tables = {name: by_name(matrix, config.tasks) for name, matrix in found.items()}
            write_json(self.out / "affinities.json", tables)
        return result

    def _step(self, metrics: Metrics) -> float:
        config = self.config
        progress = self.iteration / config.iterations
        rate = config.learning_rate * (1 + math.cos(math.pi * progress)) / 2
        self.optimiser.param_groups[0]["lr"] = rate
        started = time.perf_counter()
        batch, held_out = self._batch(self.batches), None
        if self.method.uses_validation:
            held_out = self._batch(self.held_out)
        metrics.waited(time.perf_counter() - started)
        if config.affinity_interval and self.iteration % config.affinity_interval == 0:
            # At the first learning rate: steps as small as the last would drown in rounding.
            first = config.learning_rate
            self.affinities.observe(self.precise, batch, self._unseen(), rate=first)
        record = self.method.backward(self.objective, batch, held_out)
        self.optimiser.step()
        self.iteration += 1
        metrics.add(record, {})
        return sum(record.losses.values()) / len(record.losses)

    def _batch(self, batches: SceneBatches) -> DenseBatch:
        return batches[self.iteration].to(self.config.device)

    def _unseen(self) -> DenseBatch:
        """A batch of validation images, others at every step."""
        config, images = self.config, len(self.scenes.splits["validation"])
        rng = np.random.default_rng([config.seed, 2, self.iteration])  # 0 and 1 make the batches
        rows = rng.choice(images, min(config.batch_size, images), replace=False)
        return dense_batch(self.scenes, "validation", rows).to(config.device)

    @property
    def _settings(self) -> dict[str, Any]:
        return _settings(self.config, self.scenes.recipe, self.source)

    def _save(self) -> None:
        content = {
            "iteration": self.iteration,
            "settings": json.dumps(self._settings),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "method": self.method.state_dict(),
        }
        if self.config.affinity_interval:
            content["affinities"] = self.affinities.state_dict()
        save_checkpoint(self.checkpoint, content)

    def _resume(self) -> None:
        content = load_checkpoint(self.checkpoint)
        theirs = json.loads(content["settings"])
        check_settings(self.out, theirs, self._settings, _FREE)
        self.iteration = content["iteration"]
        self.network.load_state_dict(content["network"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.method.load_state_dict(content["method"])
        if self.config.affinity_interval:
            self.affinities.load_state_dict(content["affinities"])


def checkpoint_of(out: Path) -> Path:
    """Return where the run in a folder keeps its state."""
    return out / "checkpoints" / "last.pt"


def by_name(matrix: Tensor, tasks: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return a relationship (T, T) as source to target to value; what is NaN is left out."""
    rows = zip(tasks, matrix.tolist(), strict=True)
    return {
        source: {t: value for t, value in zip(tasks, row, strict=True) if not math.isnan(value)}
        for source, row in rows
    }


def _settings(
    config: SceneTrainConfig, recipe: Mapping[str, Any], source: Mapping[str, Any] | None
) -> dict[str, Any]:
    """All that decides about a run; `source` is the state of the one that its encoder is from."""
    return {
        **asdict(config),
        "data": str(config.data),
        "precision": resolve_precision(config.precision, config.device),
        "encoder": None if source is None else _identity(source),
        "scenes": dict(recipe),
    }


def _source(folder: Path) -> dict[str, Any]:
    """The state of the run that an encoder is taken from."""
    path = checkpoint_of(folder)
    if not path.exists():
        raise RunFolderError(f"{folder} has no network whose encoder could be used: train it first")
    return load_checkpoint(path)


def _identity(source: Mapping[str, Any]) -> dict[str, Any]:
    """What an encoder has learned, and for how long, wherever its run is kept."""
    settings = json.loads(source["settings"])
    kept = {key: value for key, value in settings.items() if key not in _FREE}
    return {**kept, "iteration": source["iteration"]}


def _optimiser(network: DenseNetwork, config: SceneTrainConfig) -> torch.optim.Optimizer:
    if config.optimiser == "adam":
        return torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    return torch.optim.SGD(
        network.parameters(), lr=config.learning_rate, momentum=0.9, weight_decay=1e-4, fused=True
    )
