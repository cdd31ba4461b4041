"""What to learn, and how: the settings of a run, where it is kept, and whether it could be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from robomtl.agents.sac import check_methods
from robomtl.devices import Device, resolve_device
from robomtl.envs.metaworld.goals import check_goals
from robomtl.envs.metaworld.ray import import_ray
from robomtl.parallel import check_workers
from robomtl.rl.card import card_protocol, protocol_card
from robomtl.rl.environment import Transport
from robomtl.rl.overrides import Overrides
from robomtl.steps import check_steps


@dataclass(frozen=True, kw_only=True)
class RLTrainConfig:
    """What to learn, and how."""

    protocol: str = "lite"
    """What is trained on and how it is measured: "paper", "metaworld+" or "lite"."""
    method: str = "equal"
    """Multi-task method of critics and actor; see `robomtl methods`."""
    seed: int = 0
    """Seed of goals, initialisation and exploration."""
    tasks: tuple[str, ...] = ()
    """Some of the benchmark's tasks, or one of them alone; all when none is named."""
    overrides: Annotated[Overrides, arg(name="")] = field(default_factory=Overrides)
    checkpoint_interval: int = 50_000
    """Environment steps of all tasks together between checkpoints; rounded up to whole episodes."""
    device: Device = "cpu"
    """Where networks learn."""
    workers: int = 1
    """Processes that step the simulators; results do not depend on their number."""
    transport: Transport = "processes"
    """Whether these are processes of this machine, or Ray's actors on this or other machines."""

    @property
    def card(self) -> dict[str, Any]:
        """The protocol card, with what is changed."""
        return protocol_card(self.protocol, self.overrides, self.tasks)

    @property
    def origin(self) -> dict[str, Any]:
        """What tells runs with the same card apart."""
        return {"method": self.method, "seed": self.seed}


def default_folder(training: RLTrainConfig) -> Path:
    """Return where a run is kept unless told otherwise, named after what is trained.

    What else is changed about the protocol is not in the name: there, it is refused.
    """
    words = (training.protocol, training.method, str(training.seed), *training.tasks)
    return Path("runs/rl") / "-".join(words)


def check_training(config: RLTrainConfig) -> None:
    """Refuse what could not be trained, before anything is made or trained.

    Raises:
        ExperimentError: Unknown protocol, a number makes no sense, or no such device.
        UnknownNameError: The benchmark has no such task.
        EnvError: The seed or the number of goals is out of range.
        MethodError: There is no such method.
        SettingError: The method cannot train the learner, or one of its numbers makes no sense.
        MissingSimulatorError: Ray is asked for and not installed.
    """
    check_steps(config, "checkpoint_interval")
    resolve_device(config.device)
    check_workers(config.workers)
    if config.transport == "ray":
        import_ray()
    card = config.card
    protocol = card_protocol(card)
    check_goals(config.seed, protocol.goals)
    check_methods(replace(protocol.sac, method=config.method), card["tasks"])
