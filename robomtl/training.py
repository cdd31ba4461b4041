"""Training: one policy on all its tasks, resumable to the bit."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import torch
from tyro.conf import create_mutex_group

from robomtl import methods
from robomtl.agents.augmentation import AugmentationConfig, check_shift
from robomtl.agents.average import WeightAverage
from robomtl.agents.batch import Batch
from robomtl.agents.cloning import CloningObjective, LossConfig
from robomtl.agents.network import KeyframeNetwork, NetworkConfig, check_image_size
from robomtl.agents.policy import KeyframePolicy
from robomtl.agents.sampling import Draw, KeyframeBatches, Sampler, Uniform, check_batch_size
from robomtl.allocator import keep_freed_memory
from robomtl.checkpoint import check_settings, load_checkpoint, save_checkpoint
from robomtl.data import KeyframeDataset
from robomtl.data.locking import FolderLock
from robomtl.devices import Precision, resolve_precision
from robomtl.exceptions import ExperimentError
from robomtl.metrics import Metrics
from robomtl.progress import progress_bar
from robomtl.rates import check_rates
from robomtl.seeds import check_seed
from robomtl.steps import check_steps
from robomtl.written import write_json

# On the command line, what to learn from is given in one of several ways.
SOURCE = create_mutex_group(required=False, title="what to learn from")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a policy is trained. Iterations, batch, optimiser and rate are the paper's."""

    data: Annotated[Path, SOURCE]
    """Keyframe dataset to learn from."""
    tasks: tuple[str, ...] = ()
    """Tasks to learn; all of the dataset's when none is named."""
    method: str = "equal"
    """Multi-task method, or a weighting and an aggregator joined by "+"; see `robomtl methods`."""
    primary: tuple[str, ...] = ()
    """Tasks that matter in the end; the others only help. All of them when none is named."""
    weights: dict[str, float] = field(default_factory=dict)
    """Weight of each task, for methods that are given them."""
    weight_rate: float | None = None
    """Learning rate of learned task weights; the method's own when not given."""
    iterations: int = 8000
    """Optimisation steps."""
    batch_size: int = 32
    """Samples in a batch, spread over all tasks."""
    learning_rate: float = 1e-3
    """Adam's learning rate."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Whether the learning rate stays or falls to zero along half a cosine."""
    average: float = 0.999
    """Decay per step of the running average of the weights, which becomes the policy; 0 for their
    last values."""
    seed: int = 0
    """Seed of initialisation, batches and augmentation."""
    device: str = "cpu"
    """Device to train on."""
    precision: Precision = "auto"
    """Number format of the convolutions: "auto" takes bf16 where the device computes in it, several
    times faster, and f32 where it would only be emulated."""
    checkpoint_interval: int = 500
    """Steps between checkpoints."""
    log_interval: int = 50
    """Steps between lines of metrics."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


# What may differ between a run and its resumption without changing a bit of the result.
_FREE = ("data", "checkpoint_interval", "log_interval")

# Batches to look ahead on are drawn from the same data, by a seed that no run starts from. Seeds
# are padded with zeros where numpy mixes them, so it takes more than one word to be another.
_HELD_OUT = 2**64

Callback = Callable[[int, KeyframePolicy], None]


def train(config: TrainConfig, out: Path, on_checkpoint: Callback | None = None) -> Path:
    """Train a policy, or continue a run that was interrupted, and return the policy's path.

    `out` gets config.json, metrics.jsonl, tensorboard/ and checkpoints/: `last.pt` to continue
    from and `policy.pt` to evaluate. A run that continues from a checkpoint ends with the same
    bits as one that was never interrupted, on the same machine and number of threads; on a GPU,
    sums may be rounded in another order.

    Args:
        config: How to train.
        out: Folder of the run.
        on_checkpoint: Called after every checkpoint with the iteration and the policy so far.

    Raises:
        ExperimentError: As for `check_training`.
        AgentError: As for `check_training`.
        MethodError: There is no such method, or it lacks tasks or weights that it needs.
        CheckpointError: The folder's checkpoint is damaged or of a run with other settings.
        DatasetInUseError: Another process is training into this folder.
        NonFiniteLossError: A loss is NaN or infinite; the last checkpoint is left as it was.
    """
    keep_freed_memory()
    run = _Run(config, Path(out))
    with run.lock:
        return run.train(on_checkpoint)


def check_training(config: TrainConfig, tasks: Sequence[str], image_size: int) -> None:
    """Refuse a training that could not be, before its images are made or read.

    Args:
        config: How to train; its data need not exist.
        tasks: Names of all tasks to learn.
        image_size: Width and height of the images in pixels.

    Raises:
        ExperimentError: The iterations or an interval are below 1, a learning rate is not positive,
            the decay of the average is not within 0 to 1, or the seed is negative.
        BatchError: A batch does not have a sample of each task.
        UnsuitableImagesError: The network cannot look at images of that size.
        UnsuitableSettingError: Images of that size would be shifted away.
        MethodError: There is no such method, or it lacks tasks or weights that it needs.
    """
    check_steps(config, "iterations", "checkpoint_interval", "log_interval")
    check_rates(config, "learning_rate", "weight_rate")
    if not 0 <= config.average < 1:
        raise ExperimentError(f"average must be 0 or more, and below 1, not {config.average}")
    check_seed(config.seed)
    check_batch_size(config.batch_size, tasks)
    check_image_size(image_size, image_size, config.network)
    check_shift(config.augmentation, image_size)
    _method(config, tasks, torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1))


def _method(
    config: TrainConfig, tasks: Sequence[str], optimiser: torch.optim.Optimizer
) -> methods.Method:
    return methods.make(
        config.method,
        tasks,
        config.primary or None,
        optimiser=optimiser,
        weights=config.weights or None,
        rate=config.weight_rate,
        seed=config.seed,
    )


class _Run:
    """Everything that changes while training."""

    def __init__(self, config: TrainConfig, out: Path) -> None:
        self.config = config
        self.out = out
        dataset = KeyframeDataset(config.data, config.tasks or None)
        self.tasks = dataset.tasks
        check_training(config, self.tasks, dataset.image_size)
        self.learned_from = {
            "cameras": dataset.cameras,
            "image_size": dataset.image_size,
            "recipe": dataset.recipe,
            "demonstrations": dataset.digest(),
        }
        data = dataset.load()
        self.batches, self.held_out = (
            KeyframeBatches(
                data,
                self.tasks,
                cameras=dataset.cameras,
                batch_size=config.batch_size,
                seed=seed,
                augmentation=config.augmentation,
            )
            for seed in (config.seed, config.seed + _HELD_OUT)
        )
        torch.manual_seed(config.seed)
        self.network = KeyframeNetwork(self.batches.stages, len(dataset.cameras), config.network)
        self.network.to(config.device)
        self.average = WeightAverage(self.network, config.average)
        self.policy = KeyframePolicy(
            self.average.network, self.tasks, dataset.cameras, dataset.image_size
        )
        self.precision = resolve_precision(config.precision, config.device)
        self.objective = CloningObjective(self.network, self.tasks, config.losses, self.precision)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=config.learning_rate, fused=True
        )
        self.method = _method(config, self.tasks, self.optimiser)
        self.iteration = 0
        out.mkdir(parents=True, exist_ok=True)
        self.lock = FolderLock(out)
        if self.checkpoint.exists():
            self._resume()
        write_json(out / "config.json", self._settings())

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoints" / "last.pt"

    def train(self, on_checkpoint: Callback | None) -> Path:
        config = self.config
        with (
            Metrics(self.out, self.iteration) as metrics,
            progress_bar("training", config.iterations, self.iteration) as advance,
        ):
            for batch, held_out in self._prefetched(metrics):
                advance(note=f"loss {self._step(batch, held_out, metrics):.3f}")
                due = self.iteration % config.checkpoint_interval == 0
                if due or self.iteration == config.iterations:
                    # Metrics first: what is logged must never be newer than what is resumed from.
                    metrics.write(self.iteration)
                    self._save()
                    if on_checkpoint is not None:
                        on_checkpoint(self.iteration, self.policy)
                elif self.iteration % config.log_interval == 0:
                    metrics.write(self.iteration)
        return self._save_policy()

    def _step(self, batch: Batch, held_out: Batch | None, metrics: Metrics) -> float:
        config = self.config
        if config.schedule == "cosine":
            progress = self.iteration / config.iterations
            rate = config.learning_rate * (1 + math.cos(math.pi * progress)) / 2
            self.optimiser.param_groups[0]["lr"] = rate
        record = self.method.backward(self.objective, batch, held_out)
        self.optimiser.step()
        self.iteration += 1
        self.average.update(self.network, self.iteration)
        metrics.add(record, self.objective.take_terms())
        return sum(record.losses.values()) / len(record.losses)

    def _prefetched(self, metrics: Metrics) -> Iterator[tuple[Batch, Batch | None]]:
        """Yield the batches that are left, making one ahead while the network is busy."""
        with ThreadPoolExecutor(1) as maker:
            following = maker.submit(self._batch, self.iteration, self._draw(self.iteration))
            for number in range(self.iteration, self.config.iterations):
                started = time.perf_counter()
                batch = following.result()
                metrics.waited(time.perf_counter() - started)
                following = maker.submit(self._batch, number + 1, self._draw(number + 1))
                yield batch

    def _draw(self, number: int) -> Draw:
        """Choose the samples of a batch, by the method if it has a say: between steps only."""
        sampler = self.method if isinstance(self.method, Sampler) else Uniform()
        return self.batches.draw(number, sampler)

    def _batch(self, number: int, draw: Draw) -> tuple[Batch, Batch | None]:
        """Return a batch, and another one of the same data for methods that look ahead."""
        batch = self.batches.batch(draw).to(self.config.device)
        if not self.method.uses_validation:
            return batch, None
        return batch, self.held_out[number].to(self.config.device)

    def _settings(self) -> dict[str, object]:
        chosen = {
            "data": str(self.config.data),
            "tasks": list(self.tasks),
            "precision": self.precision,
        }
        return {**asdict(self.config), **chosen, **self.learned_from}

    def _save(self) -> None:
        self._save_policy()
        content = {
            "iteration": self.iteration,
            "settings": json.dumps(self._settings()),
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "method": self.method.state_dict(),
        }
        save_checkpoint(self.checkpoint, content)

    def _save_policy(self) -> Path:
        path = self.out / "checkpoints" / "policy.pt"
        self.policy.save(path)
        return path

    def _resume(self) -> None:
        content = load_checkpoint(self.checkpoint)
        check_settings(self.out, json.loads(content["settings"]), self._settings(), _FREE)
        self.iteration = content["iteration"]
        self.network.load_state_dict(content["network"])
        self.average.network.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.method.load_state_dict(content["method"])
