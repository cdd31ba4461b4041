"""A whole run of multi-task SAC on disk, to be continued to the bit.

A folder with `state.pt` and the replay's files. `state.pt` is replaced last and at once: a kill at
any moment leaves the checkpoint that was there before, or the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.callbacks import BaseCallback

from robomtl.agents.files import DamagedFileError, load_safely, save_atomically
from robomtl.agents.sac import replay_files
from robomtl.agents.sac.exceptions import CheckpointError
from robomtl.agents.sac.randomness import (
    generator_state,
    global_state,
    restore_generator,
    restore_global,
)

if TYPE_CHECKING:
    from robomtl.agents.sac.algorithm import MultiTaskSAC

FORMAT = "robomtl.MultiTaskSAC/4"
_COUNTERS = ("num_timesteps", "_n_updates", "_episode_num")


def save(model: MultiTaskSAC, folder: Path, before: list[replay_files.Piece]) -> Any:
    """Write a checkpoint and return the replay's pieces.

    Args:
        model: What to save.
        folder: Where to.
        before: Pieces of the model's replay that are in the folder already.
    """
    replay = model.replay_buffer
    pieces = replay_files.write_news(folder, replay, before)
    env: Any = model.env
    content = {
        "format": FORMAT,
        "tasks": list(model.tasks),
        "config": asdict(model.config),
        "counters": {name: getattr(model, name) for name in _COUNTERS},
        "networks": model.policy.state_dict(),
        "optimisers": {name: o.state_dict() for name, o in _optimisers(model).items()},
        "log_temperature": model.log_ent_coef.detach(),
        "methods": {name: m.state_dict() for name, m in model.methods.items()},
        "replay": {
            "total": replay.total,
            "generator": generator_state(replay.generator),
            "pieces": [tuple(piece) for piece in pieces],
        },
        "episodes": model.episodes.state_dict(),
        "random": global_state(model.device),
        "random_actions": generator_state(model.action_space.np_random),
        "ez_greedy": None if model.ez_greedy is None else model.ez_greedy.state_dict(),
        "environments": env.state_dict() if hasattr(env, "state_dict") else None,
    }
    save_atomically(content, folder / "state.pt")
    replay_files.remove_others(folder, pieces)
    return pieces


def load(model: MultiTaskSAC, folder: Path) -> list[replay_files.Piece]:
    """Make a model what was saved, and return the replay's pieces.

    Raises:
        FileNotFoundError: There is no checkpoint.
        CheckpointError: It is damaged, of something else, or of a run with other settings.
    """
    path = folder / "state.pt"
    try:
        # Networks and optimisers move their parts to where they are; all else belongs on the CPU.
        content = load_safely(path, "cpu")
    except DamagedFileError as error:
        raise CheckpointError(str(error)) from error
    if content.get("format") != FORMAT:
        raise CheckpointError(f"{path} holds {content.get('format')!r}, not {FORMAT!r}.")
    _check_settings(folder, content, {"tasks": list(model.tasks), **asdict(model.config)})
    saved = content["replay"]
    pieces = [replay_files.Piece(*piece) for piece in saved["pieces"]]
    replay_files.read(folder, model.replay_buffer, pieces, saved["total"])
    restore_generator(model.replay_buffer.generator, saved["generator"])
    for name, value in content["counters"].items():
        setattr(model, name, value)
    model.policy.load_state_dict(content["networks"])
    for name, optimiser in _optimisers(model).items():
        optimiser.load_state_dict(content["optimisers"][name])
    with torch.no_grad():
        model.log_ent_coef.copy_(content["log_temperature"])
    for name, method in model.methods.items():
        method.load_state_dict(content["methods"][name])
    model.episodes.load_state_dict(content["episodes"])
    # Environments that cannot go on within an episode start new ones when learning goes on.
    model._last_obs = None
    env: Any = model.env
    if content["environments"] is not None and hasattr(env, "load_state_dict"):
        model._last_obs = env.load_state_dict(content["environments"])
    restore_generator(model.action_space.np_random, content["random_actions"])
    if model.ez_greedy is not None:
        model.ez_greedy.load_state_dict(content["ez_greedy"])
    restore_global(content["random"], model.device)
    return pieces


def _optimisers(model: MultiTaskSAC) -> dict[str, torch.optim.Optimizer]:
    return {
        "actor": model.actor.optimizer,
        "critic": model.critic.optimizer,
        "temperature": model.ent_coef_optimizer,
    }


def _check_settings(folder: Path, content: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    theirs = {"tasks": content["tasks"], **content["config"]}
    different = [name for name in ours if ours[name] != theirs.get(name)]
    if different:
        what = "; ".join(f"{name} was {theirs.get(name)}, is {ours[name]}" for name in different)
        raise CheckpointError(
            f"{folder} holds a run with other settings: {what}. Continue it with its own settings."
        )


class Checkpoints(BaseCallback):
    """Saves a checkpoint every so many steps of each environment.

    It does so before a step, when everything that was seen is remembered and learned from: a
    run that goes on from there does what this one does.

    Args:
        folder: Where to.
        every: Steps of each environment in between.
    """

    model: MultiTaskSAC

    def __init__(self, folder: str | Path, every: int) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.every = every

    def _on_rollout_start(self) -> None:
        steps = self.model.num_timesteps // self.model.n_envs
        if steps and steps % self.every == 0:
            self.model.save_checkpoint(self.folder)

    def _on_step(self) -> bool:
        return True
