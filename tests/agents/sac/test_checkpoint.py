import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch

from robomtl.agents.sac import CheckpointError, Checkpoints, MultiTaskSAC, SACConfig
from tests.agents.sac.worlds import Points


def make(seed=0, world=None, **changes):
    settings = {
        "width": 16, "depth": 2, "batch_size": 8, "warm_up": 12, "buffer_size": 50,
        "network": "multi_head",
    }  # fmt: skip
    config = SACConfig(**{**settings, **changes})
    return MultiTaskSAC(world or Points(seed=seed), config, seed=seed, device="cpu")


def everything(model):
    """All numbers of a run, as one list."""
    found = [*model.policy.state_dict().values(), model.log_ent_coef.detach()]
    for optimiser in (model.actor.optimizer, model.critic.optimizer, model.ent_coef_optimizer):
        for state in optimiser.state_dict()["state"].values():
            found += [torch.as_tensor(value) for value in state.values()]
    found.append(torch.from_numpy(model.replay_buffer.rows))
    found += [torch.from_numpy(np.asarray(model._last_obs)), torch.from_numpy(model.env.state)]
    counters = [model.num_timesteps, model._n_updates, model._episode_num]
    return [*found, torch.tensor([*counters, model.replay_buffer.total])]


def same(first, second):
    pairs = list(zip(everything(first), everything(second), strict=True))
    return all(a.equal(b) for a, b in pairs)


@pytest.mark.parametrize("method", ["equal", "aligned_mtl", "auto_lambda", "pcgrad", "nash_mtl"])
def test_a_run_goes_on_as_if_it_had_not_stopped_to_the_bit(method, tmp_path):
    whole = make(method=method).learn(3 * 32)
    stopped = make(method=method).learn(3 * 22)
    stopped.save_checkpoint(tmp_path)
    torch.rand(7)  # whatever happens in between
    again = make(seed=9, method=method)
    again.load_checkpoint(tmp_path)
    again.learn(3 * 10, reset_num_timesteps=False)
    assert same(whole, again)
    assert again.episodes.state_dict() == whole.episodes.state_dict()


@pytest.mark.parametrize("settings", [{"ez_epsilon": 0.3}, {"policy_delay": 4}])
def test_held_actions_and_a_waiting_actor_go_on_to_the_bit_too(settings, tmp_path):
    whole = make(**settings).learn(3 * 35)
    make(**settings).learn(3 * 25).save_checkpoint(tmp_path)  # after 13 updates
    again = make(seed=9, **settings)
    again.load_checkpoint(tmp_path)
    again.learn(3 * 10, reset_num_timesteps=False)
    assert same(whole, again)


@pytest.mark.parametrize("network", ["multi_head", "one_hot_multi_head"])
def test_histograms_in_units_of_returns_go_on_to_the_bit_too(network, tmp_path):
    settings = {
        "network": network, "normalise_returns": True, "critic_loss": "cross_entropy",
        "initial_temperature": 0.1,
    }  # fmt: skip
    whole = make(**settings).learn(3 * 35)
    stopped = make(**settings).learn(3 * 25)  # within an episode
    stopped.save_checkpoint(tmp_path)
    again = make(seed=9, **settings)
    again.load_checkpoint(tmp_path)
    again.learn(3 * 10, reset_num_timesteps=False)
    extra = "return_scale._extra_state"
    states = [model.policy.state_dict() for model in (whole, again)]
    assert states[0].pop(extra) == states[1].pop(extra)
    assert all(value.equal(states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize("method", ["equal", "auto_lambda"])
def test_what_is_read_stays_on_the_cpu_until_a_network_takes_it(method, tmp_path):
    stopped = make(method=method).learn(3 * 22)
    stopped.save_checkpoint(tmp_path)
    again = make(seed=9, method=method)
    again.device = torch.device("meta")  # where nothing keeps its numbers
    again.load_checkpoint(tmp_path)
    assert same(stopped, again)


def test_saving_changes_nothing_and_a_callback_saves_between_steps(tmp_path):
    whole = make().learn(3 * 70)
    saving = make().learn(3 * 70, callback=Checkpoints(tmp_path, every=20))
    assert same(whole, saving)
    again = make(seed=9)
    again.load_checkpoint(tmp_path)
    assert again.num_timesteps == 3 * 60
    again.learn(3 * 10, reset_num_timesteps=False)
    assert same(whole, again)


def test_only_what_is_new_is_written_and_only_what_is_remembered_is_kept(tmp_path):
    model = make(buffer_size=50)
    model.learn(3 * 30)
    model.save_checkpoint(tmp_path)
    (first,) = tmp_path.glob("replay-*.f32")
    rows = model.replay_buffer.rows
    assert first.stat().st_size == rows[:, :30].nbytes
    model.learn(3 * 8, reset_num_timesteps=False)
    model.save_checkpoint(tmp_path)
    (second,) = set(tmp_path.glob("replay-*.f32")) - {first}
    assert second.stat().st_size == rows[:, :8].nbytes
    model.learn(3 * 45, reset_num_timesteps=False)  # the first 30 are forgotten, not all of the 8
    model.save_checkpoint(tmp_path)
    left = set(tmp_path.glob("replay-*.f32"))
    assert first not in left
    assert second in left
    assert len(left) == 2
    again = make(seed=9)
    again.load_checkpoint(tmp_path)
    np.testing.assert_array_equal(again.replay_buffer.rows, rows)


def test_many_checkpoints_leave_few_files_and_long_gaps_lose_nothing(tmp_path):
    model = make(buffer_size=500, warm_up=1000)
    for _ in range(70):
        model.learn(3 * 2, reset_num_timesteps=False)
        model.save_checkpoint(tmp_path)
        assert len(list(tmp_path.glob("replay-*.f32"))) <= 64
    model.learn(3 * 600, reset_num_timesteps=False)
    model.save_checkpoint(tmp_path)
    again = make(seed=9, buffer_size=500, warm_up=1000)
    again.load_checkpoint(tmp_path)
    assert same(model, again)


def test_a_model_goes_on_saving_into_the_folder_it_came_from(tmp_path):
    make().learn(3 * 20).save_checkpoint(tmp_path)
    second = make(seed=1)
    second.load_checkpoint(tmp_path)
    second.learn(3 * 20, reset_num_timesteps=False)
    second.save_checkpoint(tmp_path)
    assert len(list(tmp_path.glob("replay-*.f32"))) == 2
    third = make(seed=2)
    third.load_checkpoint(tmp_path)
    assert same(second, third)


def test_another_run_may_take_over_a_folder(tmp_path):
    make().learn(3 * 20).save_checkpoint(tmp_path)
    other = make(seed=1).learn(3 * 15)
    other.save_checkpoint(tmp_path)
    again = make(seed=2)
    again.load_checkpoint(tmp_path)
    assert same(other, again)
    assert len(list(tmp_path.glob("replay-*.f32"))) == 1


def test_another_replay_is_saved_from_its_beginning(tmp_path):
    other = make(seed=1).learn(3 * 40)
    other.save_replay_buffer(tmp_path / "replay.pkl")
    model = make().learn(3 * 30)
    model.save_checkpoint(tmp_path / "run")
    model.load_replay_buffer(tmp_path / "replay.pkl")
    model.save_checkpoint(tmp_path / "run")
    again = make(seed=9)
    again.load_checkpoint(tmp_path / "run")
    np.testing.assert_array_equal(again.replay_buffer.rows, other.replay_buffer.rows)


def test_a_replay_that_forgot_everything_is_saved_from_its_new_beginning(tmp_path):
    model = make().learn(3 * 30)
    model.save_checkpoint(tmp_path)
    model.replay_buffer.reset()
    model.learn(3 * 40, reset_num_timesteps=False)
    model.save_checkpoint(tmp_path)
    again = make(seed=9)
    again.load_checkpoint(tmp_path)
    assert again.replay_buffer.total == 40
    rows, wanted = again.replay_buffer.rows, model.replay_buffer.rows
    np.testing.assert_array_equal(rows[:, :40], wanted[:, :40])


def train_and_save(folder):
    torch.set_num_threads(1)
    model = make(warm_up=10_000, buffer_size=200)
    while True:
        model.learn(3 * 3, reset_num_timesteps=False)
        model.save_checkpoint(folder)


def test_a_killed_run_leaves_a_whole_checkpoint(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=train_and_save, args=(tmp_path,))
    process.start()
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "state.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        for delay in np.random.default_rng(0).uniform(0, 0.03, 8):
            time.sleep(delay)
            os.kill(process.pid, signal.SIGSTOP)
            make(warm_up=10_000, buffer_size=200).load_checkpoint(tmp_path)
            os.kill(process.pid, signal.SIGCONT)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    model = make(warm_up=10_000, buffer_size=200)
    model.load_checkpoint(tmp_path)
    total = model.replay_buffer.total
    assert total % 3 == 0
    assert model.num_timesteps == 3 * total
    model.save_checkpoint(tmp_path)
    assert not list(tmp_path.glob(".replay-*"))


def test_damage_and_other_runs_are_refused(tmp_path):
    make().learn(3 * 20).save_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="width was 16, is 20"):
        make(width=20).load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="tasks was"):
        make(world=Points(2)).load_checkpoint(tmp_path)
    (piece,) = tmp_path.glob("replay-*.f32")
    content = bytearray(piece.read_bytes())
    content[100] ^= 1
    piece.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        make().load_checkpoint(tmp_path)
    piece.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        make().load_checkpoint(tmp_path)
    (tmp_path / "state.pt").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        make().load_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError):
        make().load_checkpoint(tmp_path / "nowhere")
