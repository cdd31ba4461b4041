"""With one task, an update is that of Stable-Baselines3, to rounding."""

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger

from robomtl.agents.sac import MultiTaskSAC, SACConfig

_WIDTH, _DEPTH = 32, 3
_CONFIG = {"width": _WIDTH, "depth": _DEPTH, "batch_size": 64}


def pair(**config):
    theirs = SAC(
        "MlpPolicy",
        "Pendulum-v1",
        batch_size=64,
        buffer_size=1000,
        policy_kwargs={"net_arch": [_WIDTH] * _DEPTH},
        seed=3,
        device="cpu",
    )
    ours = MultiTaskSAC("Pendulum-v1", SACConfig(**_CONFIG, **config), seed=3, device="cpu")
    for model in (theirs, ours):
        model.set_logger(Logger(None, []))
    return theirs, ours


def theirs_as_ours(state, *, actor):
    """Their names of weights in ours; mean and log_std are one layer here."""
    if actor:
        state = dict(state)
        for kind in ("weight", "bias"):
            both = state.pop(f"mu.{kind}"), state.pop(f"log_std.{kind}")
            state[f"latent_pi.{2 * _DEPTH}.{kind}"] = torch.cat(both)
    renamed = {}
    for name, value in state.items():
        network, number, kind = name.split(".")
        prefix = "network" if actor else f"twins.{network.removeprefix('qf')}"
        layer = int(number) // 2
        hidden = ".linear" if layer < _DEPTH else ""
        renamed[f"{prefix}.layers.{layer}{hidden}.{kind}"] = value
    return renamed


def modules(model):
    return {"actor": model.actor, "critic": model.critic, "target": model.critic_target}


def weights(theirs):
    return {
        name: theirs_as_ours(module.state_dict(), actor=name == "actor")
        for name, module in modules(theirs).items()
    }


def start_alike(theirs, ours):
    for name, state in weights(theirs).items():
        modules(ours)[name].load_state_dict(state)


def remember_alike(theirs, ours, steps=300):
    rng = np.random.default_rng(0)
    for _ in range(steps):
        obs, after = rng.normal(size=(2, 1, 3)).astype(np.float32)
        action = rng.uniform(-1, 1, (1, 1)).astype(np.float32)
        reward = rng.normal(size=1).astype(np.float32)
        done = rng.random(1) < 0.3
        infos = [{"TimeLimit.truncated": bool(done[0] and rng.random() < 0.5)}]
        for model in (theirs, ours):
            model.replay_buffer.add(obs, after, action, reward, done, infos)


class SameDraws:
    """Draws for Stable-Baselines3 what ours draws."""

    def __init__(self, replay, seed):
        self.replay = replay
        self.seed = seed

    def sample(self, batch_size, env=None):
        self.replay.generator = np.random.default_rng(self.seed)
        self.seed += 1
        return self.replay.sample(batch_size)


@pytest.mark.parametrize("steps", [1, 6])
@pytest.mark.parametrize("temperature", ["per_task", "shared"])
def test_updates_of_one_task_are_theirs(steps, temperature):
    theirs, ours = pair(temperature=temperature)
    start_alike(theirs, ours)
    remember_alike(theirs, ours)
    replay = ours.replay_buffer
    for model in (theirs, ours):
        model.replay_buffer = SameDraws(replay, seed=5)
        torch.manual_seed(1)
        model.train(steps, 64)
    for name, state in weights(theirs).items():
        for weight, value in modules(ours)[name].state_dict().items():
            torch.testing.assert_close(value, state[weight], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.log_ent_coef, theirs.log_ent_coef, atol=1e-6, rtol=0)
    assert ours.log_ent_coef.item() != 0


def test_a_time_limit_is_no_end_and_an_end_is_one():
    theirs, ours = pair()
    remember_alike(theirs, ours)
    their = theirs.replay_buffer
    wanted = their.dones[: their.pos] * (1 - their.timeouts[: their.pos])
    assert 0 < wanted.sum() < their.dones.sum()
    np.testing.assert_array_equal(ours.replay_buffer.rows[0, : their.pos, -1], wanted[:, 0])


def test_actions_and_their_densities_are_theirs():
    theirs, ours = pair()
    start_alike(theirs, ours)
    obs = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    for deterministic in (True, False):
        actions = []
        for model in (theirs, ours):
            torch.manual_seed(0)
            actions.append(model.predict(obs, deterministic=deterministic)[0])
        np.testing.assert_allclose(*actions, atol=1e-6)
    found = []
    for model in (theirs, ours):
        torch.manual_seed(0)
        found.append(model.actor.action_log_prob(torch.from_numpy(obs)))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)


def final_return(model, steps):
    returns = []
    model.learn(steps, log_interval=None, callback=lambda local, _: returns.extend(
        info["episode"]["r"] for info in local["infos"] if "episode" in info
    ) or True)  # fmt: skip
    return np.mean(returns[-5:])


@pytest.mark.slow
def test_learning_pendulum_ends_where_theirs_does():
    steps, finals = 5000, ([], [])
    for seed in range(5):
        theirs = SAC(
            "MlpPolicy",
            "Pendulum-v1",
            learning_rate=1e-3,
            batch_size=64,
            learning_starts=200,
            policy_kwargs={"net_arch": [64, 64]},
            seed=seed,
            device="cpu",
        )
        config = SACConfig(width=64, depth=2, batch_size=64, learning_rate=1e-3, warm_up=200)
        ours = MultiTaskSAC("Pendulum-v1", config, seed=seed, device="cpu")
        for final, model in zip(finals, (theirs, ours), strict=True):
            final.append(final_return(model, steps))
    # Doing nothing gives about -1200; both should balance most of the time.
    assert np.mean(finals[1]) > -400, finals
    spread = np.hypot(*(np.std(each, ddof=1) / np.sqrt(5) for each in finals))
    assert abs(np.mean(finals[0]) - np.mean(finals[1])) < max(3 * spread, 60), finals
