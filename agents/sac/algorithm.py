"""Soft actor-critic of several tasks, in which any multi-task method sets the gradients."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.type_aliases import RolloutReturn
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from robomtl.agents.sac import checkpoint
from robomtl.agents.sac.config import SACConfig
from robomtl.agents.sac.diagnostics import Diagnostics
from robomtl.agents.sac.episodes import TaskEpisodes
from robomtl.agents.sac.exceptions import EnvironmentLayoutError, SettingError
from robomtl.agents.sac.ez_greedy import EZGreedy
from robomtl.agents.sac.objectives import ActorObjective, CriticObjective, UpdateBatch
from robomtl.agents.sac.overlap import Meanwhile
from robomtl.agents.sac.policy import MultiTaskPolicy, TaskActor, TaskCritic
from robomtl.agents.sac.products import fast_products
from robomtl.agents.sac.replay import TaskReplay
from robomtl.agents.sac.replay_files import Piece
from robomtl.agents.sac.suitability import suitable_methods
from robomtl.methods.weightings.exceptions import NonPositiveLossError


class MultiTaskSAC(SAC):
    """Stable-Baselines3's SAC for T tasks at once: one environment, replay and loss for each.

    One update is SAC's (Haarnoja et al. 2018), with the critics' and the actor's loss of each task
    handed to a multi-task method, which sets the gradients of what tasks share. Heads, encodings
    and temperatures are a task's own and get its own gradient. With one task, updates are those
    of Stable-Baselines3.

    Everything else works as there: `learn`, `predict`, `save`, `load`, callbacks, loggers. `save`
    writes what acts; `save_checkpoint` writes a run that can be continued to the bit.

    Args:
        env: A vector of T environments that has `tasks`, the name of each environment's task, and
            whose observations end with the task's one-hot; or a single environment without one.
        config: Settings.
        policy: For loading; there is only one.
        tensorboard_log: Folder for curves.
        verbose: 1 prints what is logged.
        seed: Seed of everything random; none for another one each time.
        device: Where to compute.

    Attributes:
        tasks: Names of the tasks.
        config: Settings.
        methods: The multi-task methods of "critic" and "actor".
        ez_greedy: What holds random actions; none where only the policy explores.
        episodes: How episodes went lately.

    Raises:
        EnvironmentLayoutError: The environments do not tell tasks apart.
        MethodError: There is no such method.
        SettingError: A method cannot be used here; the message says why.
    """

    policy: MultiTaskPolicy
    actor: Any  # a TaskActor; the others are TaskCritics, which are none of the base class's types
    critic: Any
    critic_target: Any
    replay_buffer: TaskReplay
    log_ent_coef: Tensor
    ent_coef_optimizer: torch.optim.Adam

    def __init__(
        self,
        env: Any,
        config: SACConfig | None = None,
        *,
        policy: type[MultiTaskPolicy] = MultiTaskPolicy,
        tensorboard_log: str | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        config = config or SACConfig()
        self.config = config
        self.tasks = _tasks(env)
        count = len(self.tasks)
        super().__init__(
            policy,
            env,
            learning_rate=config.learning_rate,
            buffer_size=config.buffer_size * count,
            # Until this many steps were made, actions are random; learning starts one step later.
            learning_starts=config.warm_up * count,
            batch_size=config.batch_size * count,
            tau=config.tau,
            gamma=config.gamma,
            target_entropy="auto" if config.target_entropy is None else config.target_entropy,
            # None after the step, where they are made during it.
            gradient_steps=0 if config.overlap else config.updates_per_step,
            replay_buffer_class=TaskReplay,
            replay_buffer_kwargs={"tasks": self.tasks, "seed": seed},
            policy_kwargs={
                "tasks": count,
                "network": config.network,
                "width": config.width,
                "depth": config.depth,
                "layer_norm": config.layer_norm,
                "standardise": config.standardise,
                "normalise_returns": config.normalise_returns,
                "categorical": config.critic_loss == "cross_entropy",
                "optimizer_kwargs": {"eps": config.adam_eps, "fused": True},
            },
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            seed=seed,
            device=device,
            _init_setup_model=_init_setup_model,
        )

    def _setup_model(self) -> None:
        self.tasks = tuple(self.tasks)  # `load` reads a list
        super()._setup_model()
        config = self.config
        count = len(self.tasks) if config.temperature == "per_task" else 1
        temperature = torch.full((count,), config.initial_temperature, device=self.device)
        self.log_ent_coef = temperature.log().requires_grad_()
        self.ent_coef_optimizer = torch.optim.Adam(
            [self.log_ent_coef], lr=config.learning_rate, fused=True
        )
        self._acting = ActorObjective(self.actor, self.critic, self.tasks)
        self.objectives: dict[str, CriticObjective | ActorObjective] = {
            "critic": CriticObjective(self.critic, self.tasks),
            "actor": self._acting,
        }
        # Listed once: walking through modules takes as long as moving the targets.
        self._followed = list(self.critic_target.parameters()), list(self.critic.parameters())
        # Methods always draw by a seed; without one, by another each time.
        seed = secrets.randbits(32) if self.seed is None else self.seed
        self.methods = suitable_methods(self.policy, self.objectives, config, seed)
        self.ez_greedy: EZGreedy | None = None
        if config.ez_epsilon:
            actions = get_action_dim(self.action_space)
            self.ez_greedy = EZGreedy(len(self.tasks), actions, config.ez_epsilon, seed)
        self.episodes = TaskEpisodes(self.tasks, self._stats_window_size)
        self.diagnostics = Diagnostics(self.objectives)
        self._saved: tuple[Path, object, list[Piece]] | None = None
        self._meanwhile: Meanwhile | None = None

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        if self._vec_normalize_env is not None:
            raise SettingError(
                "VecNormalize is not supported: its statistics would mix the tasks'. Normalise "
                "inside each environment."
            )
        # Others may have come by `load` or `set_env`.
        theirs = tuple(getattr(self.env, "tasks", self.tasks))
        if theirs != self.tasks:
            raise EnvironmentLayoutError(
                f"The environments do the tasks {list(theirs)}, and the model was made for "
                f"{list(self.tasks)}: they must be the same, in the same order."
            )
        before = self._last_obs
        found = super()._setup_learn(*args, **kwargs)
        if self._last_obs is not before and self.policy.return_scale is not None:
            self.policy.return_scale.start_episodes()
        self.replay_buffer.layout.check(np.asarray(self._last_obs))
        return found

    def collect_rollouts(self, env: VecEnv, *args: Any, **kwargs: Any) -> RolloutReturn:
        """Take a step in every environment; with `overlap`, learn while they do."""
        if self.config.overlap:
            # Made once: its constructor asks every environment something.
            if self._meanwhile is None or self._meanwhile.venv is not env:
                self._meanwhile = Meanwhile(env, self._train_during_a_step)
            env = self._meanwhile
        try:
            return super().collect_rollouts(env, *args, **kwargs)
        except BaseException:
            # The environments may be a step ahead: who learns on begins with new episodes.
            self._last_obs = None
            raise

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return actions (T, A) as the environments take them, and within -1 to 1."""
        actions, scaled = super()._sample_action(learning_starts, action_noise, n_envs)
        if self.ez_greedy is None:
            return actions, scaled
        warm_up = self.num_timesteps < learning_starts
        scaled = self.ez_greedy.replace(scaled, always=warm_up)
        return self.policy.unscale_action(scaled), scaled

    def _store_transition(
        self, replay: Any, action: Any, after: Any, reward: Any, dones: Any, infos: Any
    ) -> None:
        before = np.asarray(self._last_obs)
        # This refuses what is not finite.
        super()._store_transition(replay, action, after, reward, dones, infos)
        if self.policy.return_scale is not None:
            self.policy.return_scale.see(reward, dones, self.gamma)
        if self.actor.standardisation is not None:
            self.actor.standardisation.see(before[:, : self.replay_buffer.layout.states])

    def _train_during_a_step(self) -> None:
        # The step counts already, as it does for the updates that follow one.
        if self.num_timesteps + self.n_envs > self.learning_starts:
            self.train(self.config.updates_per_step, self.batch_size)

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Do some updates.

        Raises:
            NonFiniteLossError: A loss is NaN or infinite; the message names the tasks.
            NonFiniteGradientError: A gradient is.
        """
        self.policy.set_training_mode(True)
        optimisers = [self.actor.optimizer, self.critic.optimizer, self.ent_coef_optimizer]
        self._update_learning_rate(optimisers)
        with fast_products(self.device):
            for _ in range(gradient_steps):
                self._n_updates += 1
                self._update(batch_size)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _update(self, batch_size: int) -> None:
        """Move critics and targets by one step, and actor and temperatures on their turn."""
        batch = self._batch(batch_size)
        self._step("critic", self.critic, batch)
        if self._n_updates % self.config.policy_delay == 0:
            self._acting.watch(batch)
            self._step("actor", self.actor, batch)
            self._step_temperatures(self._acting.take_log_density())
        with torch.no_grad():
            torch._foreach_lerp_(*self._followed, self.tau)

    @torch.no_grad()
    def _batch(self, batch_size: int) -> UpdateBatch:
        """Draw transitions, and say what they should be worth.

        y = r + gamma (1 - d) (min_j Q'_j(s', a') - alpha log pi(a' | s')), with a' of the actor,
        and r divided by the deviation of the task's returns if that is wanted.
        """
        sampled = self.replay_buffer.sample(batch_size)
        temperatures = self.log_ent_coef.detach().exp().expand(len(self.tasks))
        # In the order in which Stable-Baselines3 draws them.
        noise, noise_after = torch.randn_like(sampled.actions), torch.randn_like(sampled.actions)
        everyone = range(len(self.tasks))
        after = sampled.next_observations
        actions, log_density = self.actor.sample(after, everyone, noise_after)
        value = torch.minimum(*self.critic_target.values(after, actions, everyone))
        each = len(after) // len(self.tasks)
        value = value - temperatures.repeat_interleave(each) * log_density
        continues = 1 - sampled.dones[:, 0]
        rewards = sampled.rewards[:, 0]
        if self.policy.return_scale is not None:
            deviation = torch.as_tensor(self.policy.return_scale.deviation, dtype=rewards.dtype)
            rewards = rewards / deviation.to(rewards.device).repeat_interleave(each)
        return UpdateBatch(
            states=sampled.observations,
            actions=sampled.actions,
            targets=rewards + continues * self.gamma * value,
            noise=noise,
            temperatures=temperatures,
        )

    def _step(self, part: str, module: TaskActor | TaskCritic, batch: UpdateBatch) -> None:
        method = self.methods[part]
        # Other samples, for methods that ask how a step does on them.
        other = self._batch(len(batch.states)) if method.uses_validation else None
        try:
            record = method.backward(self.objectives[part], batch, other)
        except NonPositiveLossError as error:
            raise SettingError(
                f"The {part}'s method: {error} Choose another by `{part}_method`."
            ) from error
        if self.config.clip is not None:
            nn.utils.clip_grad_norm_(module.parameters(), self.config.clip)
        module.optimizer.step()
        self.diagnostics.note(part, record, batch)

    def _step_temperatures(self, log_density: Tensor) -> None:
        """Raise temperatures of tasks whose actions are less random than wanted.

        The loss is -log(alpha) (log pi + H), as in Stable-Baselines3, with the mean over samples.
        """
        assert isinstance(self.target_entropy, float)
        gradient = -(log_density + self.target_entropy)
        shared = self.config.temperature == "shared"
        self.log_ent_coef.grad = gradient.mean(0, keepdim=True) if shared else gradient
        self.ent_coef_optimizer.step()

    def _update_info_buffer(self, infos: Any, dones: Any = None) -> None:
        super()._update_info_buffer(infos, dones)
        if dones is not None:
            self.episodes.note(infos, dones)

    def dump_logs(self) -> None:
        """Write what is logged: for each task, and on average."""
        self.diagnostics.log(self.logger, self.episodes, self.log_ent_coef)
        super().dump_logs()

    def save_checkpoint(self, path: str | Path) -> None:
        """Write everything that continuing needs to the folder `path`.

        Call it between two `learn`s, or let the callback `Checkpoints` do so. What the environments
        are doing is written if they have `state_dict`.
        """
        folder, history = Path(path).resolve(), self.replay_buffer.history
        before: list[Piece] = []
        if self._saved is not None and self._saved[:2] == (folder, history):
            before = self._saved[2]
        self._saved = folder, history, checkpoint.save(self, folder, before)

    def load_checkpoint(self, path: str | Path) -> None:
        """Continue from what `save_checkpoint` wrote, with `learn(..., reset_num_timesteps=False)`.

        Environments that have `load_state_dict` get their state; it returns their observations
        (T, states + T) if they go on within their episodes. Otherwise new episodes begin.

        Raises:
            FileNotFoundError: There is no checkpoint.
            CheckpointError: It is damaged, or of a run with other settings.
        """
        folder = Path(path).resolve()
        pieces = checkpoint.load(self, folder)
        self._saved = folder, self.replay_buffer.history, pieces

    def _excluded_save_params(self) -> list[str]:
        ours = [
            "objectives",
            "_acting",
            "_followed",
            "methods",
            "ez_greedy",
            "diagnostics",
            "episodes",
            "_saved",
            "_meanwhile",
        ]
        return [*super()._excluded_save_params(), *ours]


def _tasks(env: Any) -> tuple[str, ...]:
    """Return the names of the tasks of a vector of environments."""
    count = env.num_envs if isinstance(env, VecEnv) else 1
    tasks = tuple(getattr(env, "tasks", ("task",) if count == 1 else ()))
    if len(tasks) != count:
        raise EnvironmentLayoutError(
            f"There are {count} environments, which do the tasks {list(tasks)}: there must be one "
            "environment for each task, and `tasks` must name them."
        )
    return tasks
