"""Actor and twin critics, as Stable-Baselines3 keeps them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from stable_baselines3.common.policies import BaseModel, BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, SACPolicy
from torch import Tensor, nn

from robomtl.agents.sac.histogram import Histogram
from robomtl.agents.sac.networks import NETWORKS, Sizes
from robomtl.agents.sac.observation import Layout
from robomtl.agents.sac.return_scale import ReturnScale
from robomtl.agents.sac.standardisation import Standardisation


class TaskActor(BasePolicy):
    """Gaussian over actions, squashed by tanh, for a state and its task.

    Args:
        observation_space: Vectors that end with the task's one-hot.
        action_space: Bounds of an action.
        layout: How the two are told apart.
        network: Name of the network; it gives means and logarithms of standard deviations.
        sizes: What `Sizes` wants, besides inputs and outputs.
        standardisation: What is done to states first; none to take them as they are.
    """

    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        *,
        layout: Layout,
        network: str,
        sizes: dict[str, Any],
        standardisation: Standardisation | None = None,
    ) -> None:
        super().__init__(observation_space, action_space, squash_output=True)
        self.layout = layout
        self.standardisation = standardisation
        actions = get_action_dim(action_space)
        self.network = NETWORKS[network](
            Sizes(inputs=layout.states, outputs=2 * actions, tasks=layout.tasks, **sizes)
        )
        self.distribution = SquashedDiagGaussianDistribution(actions)

    def parameters_of(self, states: Tensor, tasks: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the standard deviation before tanh, (B, A) each."""
        if self.standardisation is not None:
            states = self.standardisation(states, tasks)
        mean, log_std = self.network(states, tasks).chunk(2, 1)
        return mean, log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)

    def sample(self, states: Tensor, tasks: Sequence[int], noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions a (B, A) in [-1, 1] and the logarithm of their density (B,).

        With a = tanh(mean + std noise), the density is the noise's, divided by the derivative of a:
        std (1 - a^2), to which Stable-Baselines3's epsilon is added (Haarnoja et al. 2018, App. C).

        Args:
            states: (B, states).
            tasks: Task of each of G groups of rows.
            noise: Standard normal numbers, (B, A).
        """
        mean, log_std = self.parameters_of(states, tasks)
        actions = torch.addcmul(mean, log_std.exp(), noise).tanh()
        squashed = (1 - actions.square() + self.distribution.epsilon).log()
        normal = 0.5 * (noise.square() + math.log(2 * math.pi))
        return actions, -(normal + log_std + squashed).sum(1)

    def forward(self, obs: Tensor, deterministic: bool = False) -> Tensor:
        """Return actions (B, A) in [-1, 1] for observations with their one-hot."""
        mean, log_std = self.parameters_of(*self.layout.split(obs))
        return self.distribution.actions_from_params(mean, log_std, deterministic=deterministic)

    def action_log_prob(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions and their log density for observations with their one-hot."""
        states, tasks = self.layout.split(obs)
        shape = (len(states), self.distribution.action_dim)
        return self.sample(states, tasks, torch.randn(shape, device=states.device))

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        return self(observation, deterministic)


class TaskCritic(BaseModel):
    """Twin networks that value an action in a state of a task.

    Args: as for `TaskActor`, and
        categorical: Whether they learn histograms of values instead of numbers.
    """

    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        *,
        layout: Layout,
        network: str,
        sizes: dict[str, Any],
        standardisation: Standardisation | None = None,
        categorical: bool = False,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.layout = layout
        self.standardisation = standardisation
        inputs = layout.states + get_action_dim(action_space)
        self.histogram = Histogram() if categorical else None
        outputs = Histogram.bins if categorical else 1
        described = Sizes(inputs=inputs, outputs=outputs, tasks=layout.tasks, **sizes)
        self.twins = nn.ModuleList(NETWORKS[network](described) for _ in range(2))

    def values(
        self, states: Tensor, actions: Tensor, tasks: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Return what each of the twins says, (B,) each."""
        first, second = self._outputs(states, actions, tasks)
        if self.histogram is None:
            return first[:, 0], second[:, 0]
        return self.histogram.decode(first), self.histogram.decode(second)

    def errors(
        self, states: Tensor, actions: Tensor, targets: Tensor, tasks: Sequence[int]
    ) -> Tensor:
        """Return how far both twins are from target values (B,), summed, (B,).

        Half of the squared distance, or the cross entropy with the target's histogram.
        """
        outputs = self._outputs(states, actions, tasks)
        if self.histogram is None:
            first, second = ((output[:, 0] - targets).square() for output in outputs)
            return 0.5 * (first + second)
        wanted = self.histogram.encode(targets)
        first, second = (F.cross_entropy(o, wanted, reduction="none") for o in outputs)
        return first + second

    def _outputs(self, states: Tensor, actions: Tensor, tasks: Sequence[int]) -> list[Tensor]:
        if self.standardisation is not None:
            states = self.standardisation(states, tasks)
        inputs = torch.cat((states, actions), 1)
        return [twin(inputs, tasks) for twin in self.twins]

    def forward(self, obs: Tensor, actions: Tensor) -> tuple[Tensor, ...]:
        """Return both values (B, 1) for observations with their one-hot."""
        states, tasks = self.layout.split(obs)
        return tuple(value[:, None] for value in self.values(states, actions, tasks))


class MultiTaskPolicy(SACPolicy):
    """SAC's policy with networks that know tasks.

    Args:
        observation_space: Vectors that end with the task's one-hot.
        action_space: Bounds of an action.
        lr_schedule: Learning rate by the share of training that remains.
        tasks: Number of tasks T.
        network: One of `NETWORKS`.
        width: Units of a hidden layer.
        depth: Hidden layers.
        layer_norm: Whether they are normalised.
        standardise: Whether states are.
        categorical: Whether critics learn histograms of values.
        normalise_returns: Whether rewards are divided by what `return_scale` says.
        use_sde: Must be false: exploration that depends on the state is not supported.
        optimizer_kwargs: Options of Adam.

    Attributes:
        return_scale: How large returns of each task are; none if nobody wants to know.
    """

    actor: Any  # a TaskActor; the others are TaskCritics, which are none of the base class's types
    critic: Any
    critic_target: Any

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Any,
        *,
        tasks: int,
        network: str,
        width: int,
        depth: int,
        layer_norm: bool,
        standardise: bool = False,
        categorical: bool = False,
        normalise_returns: bool = False,
        use_sde: bool = False,
        optimizer_kwargs: dict[str, Any] | None = None,
    ) -> None:
        assert not use_sde, "state-dependent exploration is not supported"
        self._described = {
            "tasks": tasks,
            "network": network,
            "width": width,
            "depth": depth,
            "layer_norm": layer_norm,
        }
        self._standardise = standardise
        self._categorical = categorical
        super().__init__(
            observation_space, action_space, lr_schedule, optimizer_kwargs=optimizer_kwargs
        )
        self._normalise_returns = normalise_returns
        self.return_scale = ReturnScale(tasks) if normalise_returns else None

    def make_actor(self, features_extractor: Any = None) -> Any:
        """Return a new actor."""
        made_of = self._made_of()
        layout = made_of["layout"]
        standardisation = Standardisation(layout.tasks, layout.states)
        return TaskActor(**made_of, standardisation=standardisation if self._standardise else None)

    def make_critic(self, features_extractor: Any = None) -> Any:
        """Return new twin critics, which standardise states as the actor does."""
        return TaskCritic(
            **self._made_of(),
            standardisation=self.actor.standardisation,
            categorical=self._categorical,
        )

    def _made_of(self) -> dict[str, Any]:
        sizes: dict[str, Any] = dict(self._described)
        tasks, network = sizes.pop("tasks"), sizes.pop("network")
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "layout": Layout.of(self.observation_space.shape or (), tasks),
            "network": network,
            "sizes": sizes,
        }

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "optimizer_kwargs": self.optimizer_kwargs,
            **self._described,
            "standardise": self._standardise,
            "categorical": self._categorical,
            "normalise_returns": self._normalise_returns,
        }
