import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import CheckpointCallback
from stable_baselines3.common.logger import Logger, configure
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from robomtl import methods
from robomtl.agents.sac import (
    NETWORKS,
    EnvironmentLayoutError,
    MultiTaskSAC,
    NonFiniteTransitionError,
    SACConfig,
    SettingError,
    check_methods,
)
from robomtl.agents.sac.objectives import UpdateBatch
from robomtl.methods import NonFiniteLossError
from tests.agents.sac.worlds import Points

_SMALL = {"width": 16, "depth": 2, "batch_size": 8, "warm_up": 12, "buffer_size": 200}


def make(world=None, **changes):
    config = SACConfig(**{**_SMALL, **changes})
    return MultiTaskSAC(world or Points(), config, seed=0, device="cpu")


def ready(**changes):
    """A model that has seen something, and a batch."""
    model = make(warm_up=1000, **changes).learn(3 * 30)
    model.set_logger(Logger(None, []))
    return model, model._batch(model.batch_size)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_learns(network):
    model = make(network=network, layer_norm=True)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(3 * 20)
    moved = {
        name.split(".")[0]
        for name, value in model.policy.state_dict().items()
        if not value.equal(before[name])
    }
    assert moved == {"actor", "critic", "critic_target"}
    assert all(value.isfinite().all() for value in model.policy.state_dict().values())


_LACKING = ("fixed", "gcs", "ol_aux", "ial", "saal_e", "saal_w", "saal_ew")
_UNSUITABLE = ("mgda_ub", "aligned_mtl_ub", "priority_replay")


@pytest.mark.parametrize("name", sorted({*methods.names()} - {*_LACKING, *_UNSUITABLE}))
def test_every_method_trains_critics(name):
    model = make(method=name, actor_method="equal", network="multi_head").learn(3 * 18)
    assert model._n_updates == 6


@pytest.mark.parametrize("name", _UNSUITABLE)
def test_methods_that_cannot_train_critics_say_so(name):
    with pytest.raises(SettingError, match=f"'{name}' cannot train the critic: "):
        make(method=name)


@pytest.mark.parametrize("name", _LACKING)
def test_methods_that_lack_something_say_what(name):
    with pytest.raises(SettingError, match=f"'{name}' cannot train the critic: it needs auxiliary"):
        make(method=name)


@pytest.mark.parametrize("name", ["famo", "uncertainty"])
def test_methods_that_need_positive_losses_do_not_suit_the_actor_and_say_so(name):
    model = make(actor_method=name)
    with pytest.raises(SettingError, match=r"actor's method.*`actor_method`"):
        model.learn(3 * 18)


_COMPARING = ("pcgrad", "dwa+cagrad", "gradnorm", "auto_lambda", "auto_lambda_delayed",
              "auto_lambda_stochastic")  # fmt: skip


@pytest.mark.parametrize("name", _COMPARING)
def test_methods_that_compare_gradients_need_something_shared(name):
    with pytest.raises(SettingError, match="share no parameter of the network 'separate'"):
        make(network="separate", method=name)


@pytest.mark.parametrize("name", ["equal", "rlw_normal", "auto_lambda_finite_difference"])
def test_methods_that_compare_losses_need_nothing_shared(name):
    assert make(network="separate", method=name).learn(3 * 18)._n_updates == 6


def test_a_look_at_the_step_really_taken_cannot_know_of_clipping():
    with pytest.raises(SettingError, match="'auto_lambda' goes with `clip`"):
        make(method="auto_lambda_delayed", clip=1.0)
    assert make(method="auto_lambda", clip=1.0).learn(3 * 18)._n_updates == 6


@pytest.mark.parametrize(
    ("network", "tasks", "clip"),
    [("shared", 3, None), ("care", 3, 1.0), ("separate", 3, None), ("separate", 1, None)],
)
def test_a_check_without_environments_refuses_what_a_learner_does(network, tasks, clip):
    def refusal(attempt):
        try:
            attempt()
        except (SettingError, methods.MethodError) as error:
            return str(error)

    world = Points(tasks)
    for method in (*_UNSUITABLE, *_LACKING, *_COMPARING, "equal", "adam"):
        for other in ({"critic_method": "equal"}, {"actor_method": "equal"}):
            config = SACConfig(**_SMALL, network=network, clip=clip, method=method, **other)
            checked = refusal(lambda config=config: check_methods(config, world.tasks))
            assert checked == refusal(lambda config=config: MultiTaskSAC(world, config))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_check_without_environments_draws_nothing(network):
    before = torch.get_rng_state()
    check_methods(SACConfig(network=network), ("a", "b"))
    assert torch.get_rng_state().equal(before)


def test_without_a_seed_methods_draw_something_else_each_time():
    config = SACConfig(**_SMALL, method="rlw_normal")
    states = [MultiTaskSAC(Points(), config).methods["critic"].state_dict() for _ in range(2)]
    first, second = (state["weighting"]["generator"] for state in states)
    assert not first.equal(second)


@pytest.mark.parametrize("part", ["critic", "actor"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", ["aligned_mtl", "auto_lambda_stochastic"])
def test_one_task_alone_gets_its_gradient_whatever_its_network(part, network, method):
    model = make(Points(1), network=network, method=method).learn(20)
    batch, objective = model._batch(8), model.objectives[part]
    parameters = [*objective.shared_parameters(), *objective.task_parameters("go0")]
    trained = model.critic.twins if part == "critic" else model.actor.network
    assert {id(p) for p in parameters} == {id(p) for p in trained.parameters()}
    (loss,) = objective.losses(batch, ["go0"])
    wanted = torch.autograd.grad(loss, parameters)
    record = model.methods[part].backward(objective, batch, batch)
    for parameter, gradient in zip(parameters, wanted, strict=True):
        torch.testing.assert_close(parameter.grad, record.weights["go0"] * gradient)


@pytest.mark.parametrize("part", ["critic", "actor"])
def test_losses_are_those_of_each_task_alone(part):
    model, batch = ready(network="multi_head")
    objective = model.objectives[part]
    together = objective.losses(batch, model.tasks)
    for task, loss in zip(model.tasks, together, strict=True):
        torch.testing.assert_close(objective.losses(batch, [task])[0], loss)
    backwards = objective.losses(batch, model.tasks[::-1])
    torch.testing.assert_close(torch.stack(backwards), torch.stack(together).flip(0))


def test_the_actors_loss_leaves_the_critics_alone():
    model, batch = ready()
    loss = torch.stack(model.objectives["actor"].losses(batch, model.tasks)).sum()
    critics = list(model.critic.parameters())
    assert all(p.requires_grad for p in critics)
    found = torch.autograd.grad(loss, critics, allow_unused=True)
    assert all(gradient is None for gradient in found)


def test_targets_are_the_bellman_backup_of_the_lower_critic():
    model, _ = ready(network="one_hot")
    with torch.no_grad():
        model.log_ent_coef.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    generator = np.random.default_rng(5)
    model.replay_buffer.generator = generator
    torch.manual_seed(2)
    batch = model._batch(24)
    model.replay_buffer.generator = np.random.default_rng(5)
    torch.manual_seed(2)
    drawn = model.replay_buffer.sample(24)
    noise = torch.randn(24, 2), torch.randn(24, 2)
    assert batch.noise.equal(noise[0])
    for row in range(24):
        task = row // 8
        with torch.no_grad():
            after = drawn.next_observations[row : row + 1]
            action, density = model.actor.sample(after, [task], noise[1][row : row + 1])
            value = min(q.item() for q in model.critic_target.values(after, action, [task]))
        value -= np.exp([-1.0, 0.0, 1.0][task]) * density.item()
        wanted = drawn.rewards[row].item() + 0.99 * (1 - drawn.dones[row].item()) * value
        assert batch.targets[row].item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("part", ["critic", "actor"])
@pytest.mark.parametrize("network", ["multi_head", "encoded", "soft_modular", "care"])
def test_the_method_rules_what_is_shared_and_nothing_else(part, network):
    """Aligned-MTL, against gradients taken one task at a time."""
    model, batch = ready(network=network, method="aligned_mtl")
    objective = model.objectives[part]
    shared = objective.shared_parameters()
    rows, own = [], {}
    for task in model.tasks:
        (loss,) = objective.losses(batch, [task])
        mine = objective.task_parameters(task)
        found = torch.autograd.grad(loss, [*shared, *mine])
        rows.append(torch.cat([g.flatten() for g in found[: len(shared)]]))
        own[task] = found[len(shared) :]
    matrix = torch.stack(rows).double()
    record = model.methods[part].backward(objective, batch)
    alpha = methods.aggregate("aligned_mtl", matrix @ matrix.T)
    wanted = alpha @ matrix
    ours = torch.cat([p.grad.flatten() for p in shared]).double()
    assert (ours - wanted).norm() < 1e-3 * wanted.norm()
    for task in model.tasks:
        for parameter, gradient in zip(objective.task_parameters(task), own[task], strict=True):
            torch.testing.assert_close(
                parameter.grad, record.weights[task] * gradient, atol=1e-6, rtol=1e-3
            )


def test_clipping_comes_after_combination():
    model, _ = ready(clip=1e-3, method="sum")  # of gradients of that length, it would have another
    model.train(1, model.batch_size)
    for module in (model.actor, model.critic):
        norm = torch.cat([p.grad.flatten() for p in module.parameters()]).norm()
        assert norm == pytest.approx(1e-3, rel=1e-3)


def test_each_task_has_its_temperature_or_all_have_one():
    model, _ = ready()
    density = torch.tensor([-5.0, 2.0, 7.0])  # the entropy that is wanted is -2
    model._step_temperatures(density)
    assert model.log_ent_coef.sign().tolist() == [-1.0, 0.0, 1.0]
    model, _ = ready(target_entropy=5.0)
    model._step_temperatures(density)
    assert model.log_ent_coef.sign().tolist() == [0.0, 1.0, 1.0]
    model, _ = ready(temperature="shared")
    model._step_temperatures(density)
    assert model.log_ent_coef.shape == (1,)
    assert model.log_ent_coef.grad.item() == pytest.approx(-(4 / 3 - 2))


def test_targets_follow_the_critics_slowly():
    model, _ = ready(tau=0.25)
    before = [p.clone() for p in model.critic_target.parameters()]
    model.train(1, model.batch_size)
    pairs = zip(before, model.critic.parameters(), model.critic_target.parameters(), strict=True)
    for old, critic, target in pairs:
        torch.testing.assert_close(target, 0.75 * old + 0.25 * critic)
        assert not target.requires_grad or target.grad is None


def test_actor_and_temperatures_wait_for_their_turn():
    model, _ = ready(policy_delay=3)
    parts = {"critic": model.critic, "target": model.critic_target, "actor": model.actor}
    moved = {name: [] for name in (*parts, "temperature")}
    for _ in range(7):
        before = {name: [p.clone() for p in part.parameters()] for name, part in parts.items()}
        temperature = model.log_ent_coef.detach().clone()
        model.train(1, model.batch_size)
        for name, part in parts.items():
            pairs = zip(part.parameters(), before[name], strict=True)
            moved[name].append(not all(p.equal(old) for p, old in pairs))
        moved["temperature"].append(not temperature.equal(model.log_ent_coef))
    assert moved["critic"] == moved["target"] == [True] * 7
    assert moved["actor"] == moved["temperature"] == [i in (3, 6) for i in range(1, 8)]


def test_the_same_seed_learns_the_same():
    weights = [make().learn(3 * 25).policy.state_dict() for _ in range(2)]
    assert all(value.equal(weights[1][name]) for name, value in weights[0].items())


def test_three_points_learn_to_go_three_ways():
    world = Points(horizon=10)
    model = make(world, network="one_hot", width=64, batch_size=32, learning_rate=3e-3, gamma=0.9)
    model.learn(3 * 300)
    obs = world.reset()
    returns = np.zeros(3)
    for _ in range(10):
        obs, rewards, *_ = world.step(model.predict(obs, deterministic=True)[0])
        returns += rewards
    assert (returns > -7).all(), returns  # standing still gives -10, the best is about -3


def test_a_saved_model_acts_and_learns_on_as_before(tmp_path):
    model = make(network="care").learn(3 * 25)
    model.save(tmp_path / "model")
    loaded = MultiTaskSAC.load(tmp_path / "model", env=Points(), device="cpu")
    acting = MultiTaskSAC.load(tmp_path / "model", device="cpu")
    obs = Points(seed=4).reset()
    actions = model.predict(obs, deterministic=True)[0]
    for other in (loaded, acting):
        np.testing.assert_array_equal(other.predict(obs, deterministic=True)[0], actions)
        np.testing.assert_array_equal(other.predict(obs[1], deterministic=True)[0].shape, (2,))
    assert loaded.config == model.config
    assert loaded.log_ent_coef.equal(model.log_ent_coef)
    loaded.learn(3 * 15)


def test_stable_baselines_callbacks_work(tmp_path):
    callback = CheckpointCallback(10, tmp_path, save_replay_buffer=True, verbose=0)
    model = make().learn(3 * 20, callback=callback)
    names = {path.suffix for path in tmp_path.iterdir()}
    assert names == {".zip", ".pkl"}
    other = make()
    other.load_replay_buffer(next(tmp_path.glob("*_60_steps.pkl")))
    # Stable-Baselines3 saves before the step is stored.
    rows = other.replay_buffer.total
    np.testing.assert_array_equal(
        other.replay_buffer.rows[:, :rows], model.replay_buffer.rows[:, :rows]
    )


@pytest.mark.parametrize("method", ["equal", "aligned_mtl"])
def test_logs_tell_tasks_apart(method, tmp_path):
    model = make(method=method, network="multi_head")
    model.set_logger(configure(str(tmp_path), ["csv"]))
    model.learn(3 * 40, log_interval=12)
    found = dict(zip(*(
        line.split(",") for line in (tmp_path / "progress.csv").read_text().split()[:2]
    ), strict=True))  # fmt: skip
    for task in model.tasks:
        for what in ("return", "success", "temperature", "critic_loss", "actor_gradient_norm",
                     "critic_cosine", "actor_coefficient"):  # fmt: skip
            assert np.isfinite(float(found[f"{task}/{what}"])), what
    assert float(found["train/critic_condition_number"]) >= 1
    assert float(found["time/total_timesteps"]) > 0


def test_logging_changes_nothing():
    quiet, chatty = make().learn(3 * 45, log_interval=1000), make().learn(3 * 45, log_interval=1)
    pairs = zip(quiet.policy.parameters(), chatty.policy.parameters(), strict=True)
    assert all(a.equal(b) for a, b in pairs)


def test_returns_and_success_of_a_task_are_its_own():
    model = make()
    ended = {"episode": {"r": 5.0}, "is_success": True}
    model.episodes.note([{}, ended, {}], [False, True, False])
    model.episodes.note([{}, {"episode": {"r": 1.0}, "is_success": False}, {}], [False, True, True])
    assert model.episodes.returns() == {"go1": 3.0}
    assert model.episodes.success() == {"go1": 0.5}


def test_a_monitor_may_wrap_the_environments():
    assert make(VecMonitor(Points())).learn(3 * 15).tasks == ("go0", "go1", "go2")


def test_environments_that_do_not_name_or_show_their_tasks_are_refused():
    world = Points()
    world.tasks = ("go0", "go1")
    with pytest.raises(EnvironmentLayoutError, match="3 environments"):
        make(world)

    class Blind(Points):
        def observations(self):
            return np.concatenate((self.state, np.ones((3, 3))), 1)

    with pytest.raises(EnvironmentLayoutError, match="one-hot"):
        make(Blind()).learn(3)
    with pytest.raises(SettingError, match="VecNormalize"):
        make(VecNormalize(Points())).learn(3 * 15)


@pytest.mark.parametrize("way", ["set_env", "load"])
def test_a_model_does_not_go_on_with_other_tasks_in_its_places(way, tmp_path):
    model, world = make(network="multi_head").learn(3 * 15), Points()
    world.tasks = world.tasks[::-1]
    if way == "set_env":
        model.set_env(world)
    else:
        model.save(tmp_path / "model.zip")
        model = MultiTaskSAC.load(tmp_path / "model.zip", env=world)
    with pytest.raises(EnvironmentLayoutError, match=r"do the tasks \['go2', 'go1', 'go0'\]"):
        model.learn(3)
    model.set_env(Points())
    assert model.learn(3 * 15).tasks == ("go0", "go1", "go2")


def test_a_reward_that_is_no_number_stops_the_run_by_name():
    world = Points()
    world.poison = {1: float("nan")}
    with pytest.raises(NonFiniteTransitionError, match=r"step 0 .*go1 \(reward"):
        make(world).learn(30)


def test_a_loss_that_is_no_number_stops_the_run_by_name():
    model, batch = ready()
    targets = batch.targets.clone()
    targets[8] = torch.nan
    fields = {name: getattr(batch, name) for name in UpdateBatch.__dataclass_fields__}
    broken = UpdateBatch(**{**fields, "targets": targets})
    with pytest.raises(NonFiniteLossError, match="go1") as error:
        model.methods["critic"].backward(model.objectives["critic"], broken)
    assert set(error.value.losses) == {"go1"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": "multi_haed"},
        {"temperature": "both"},
        {"critic_loss": "huber"},
        {"ez_epsilon": 1.5},
        {"initial_temperature": 0.0},
        {"target_entropy": float("-inf")},
        {"width": 0},
        {"batch_size": 0},
        {"policy_delay": 0},
        {"gamma": 1.5},
        {"learning_rate": float("nan")},
        {"clip": 0.0},
        {"warm_up": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))) as error:
        SACConfig(**wrong)
    if "network" in wrong:
        assert all(name in str(error.value) for name in NETWORKS)
