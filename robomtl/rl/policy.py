"""What a run has learned, apart from how to go on learning: its actor, on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from robomtl.agents.files import DamagedFileError, load_safely, save_atomically
from robomtl.agents.sac.observation import Layout
from robomtl.agents.sac.policy import TaskActor
from robomtl.agents.sac.standardisation import Standardisation
from robomtl.checkpoint import CheckpointError
from robomtl.exceptions import RunFolderError

_FORMAT = "robomtl.rl.policy/2"


class LearnedPolicy:
    """The actor of a run.

    Args:
        actor: The network.
        card: The protocol card of the run; its tasks are in the order of the one-hot.
        origin: Method and seed of the run.
    """

    def __init__(
        self, actor: TaskActor, card: Mapping[str, Any], origin: Mapping[str, Any]
    ) -> None:
        self.actor = actor
        self.card = card
        self.origin = origin

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(self.card["tasks"])

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean actions (B, 4), for observations (B, states + T)."""
        actions: NDArray[np.float32] = self.actor.predict(observations, deterministic=True)[0]
        return actions

    @staticmethod
    def load(path: Path, device: str = "cpu") -> LearnedPolicy:
        """Read what `save_policy` wrote.

        Raises:
            RunFolderError: There is no policy.
            CheckpointError: The file is damaged, or something else.
        """
        try:
            content = load_safely(path, device)
        except FileNotFoundError:
            raise RunFolderError(
                f"{path.parent} holds no policy ({path} is missing): `robomtl rl train` makes one"
            ) from None
        except DamagedFileError as error:
            raise CheckpointError(str(error)) from error
        if content.get("format") != _FORMAT:
            raise CheckpointError(
                f"{path} holds {content.get('format')!r}, not a policy of rl train"
            )
        card, states = json.loads(content["card"]), content["states"]
        count, sac = len(card["tasks"]), card["sac"]
        width = states + (count if count > 1 else 0)
        actor = TaskActor(
            spaces.Box(-np.inf, np.inf, (width,), np.float32),
            spaces.Box(-1.0, 1.0, (content["actions"],), np.float32),
            layout=Layout(states, count),
            network=sac["network"],
            sizes={name: sac[name] for name in ("width", "depth", "layer_norm")},
            standardisation=Standardisation(count, states) if sac["standardise"] else None,
        )
        try:
            actor.load_state_dict(content["actor"])
        except RuntimeError as error:
            raise CheckpointError(f"{path} holds another network than it says: {error}") from error
        return LearnedPolicy(actor.to(device), card, json.loads(content["origin"]))


def save_policy(
    path: Path, actor: TaskActor, card: Mapping[str, Any], origin: Mapping[str, Any]
) -> None:
    """Write an actor, which is all that acting needs, and where it comes from."""
    content = {
        "format": _FORMAT,
        "card": json.dumps(card),
        "origin": json.dumps(origin),
        "states": actor.layout.states,
        "actions": actor.distribution.action_dim,
        "actor": {
            name: value.detach().cpu() if isinstance(value, Tensor) else value
            for name, value in actor.state_dict().items()
        },
    }
    save_atomically(content, path)
