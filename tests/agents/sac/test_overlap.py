"""Learning while the environments step changes what an update sees, and nothing else."""

import numpy as np
import pytest
import torch

from robomtl.agents.sac import MultiTaskSAC, SACConfig, SettingError
from robomtl.agents.sac.overlap import Meanwhile
from tests.agents.sac.worlds import Points


class Diary(Points):
    """Points that note when they are asked to step, and when to be done with it."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.events = []

    def step_async(self, actions):
        self.events.append("start")
        super().step_async(actions)

    def step_wait(self):
        self.events.append("finish")
        return super().step_wait()


def make(world=None, seed=0, **changes):
    settings = {"width": 16, "depth": 2, "batch_size": 8, "warm_up": 5, "network": "one_hot"}
    config = SACConfig(**{**settings, **changes})
    return MultiTaskSAC(world or Points(), config, seed=seed, device="cpu")


def weights(model):
    return torch.cat([p.flatten() for p in model.policy.parameters()])


@pytest.mark.parametrize("updates", [1, 2])
def test_updates_come_between_start_and_finish_of_a_step(updates, monkeypatch):
    world = Diary()
    model = make(world, overlap=True, updates_per_step=updates)
    original = model._update

    def update(batch_size):
        world.events.append(f"update after {model.replay_buffer.total}")
        original(batch_size)

    monkeypatch.setattr(model, "_update", update)
    model.learn(3 * 8)
    expected = ["start", "finish"] * 5
    for step in (5, 6, 7):
        expected += ["start", *[f"update after {step}"] * updates, "finish"]
    assert world.events == expected


@pytest.mark.parametrize("step_fails", [False, True])
def test_a_step_is_finished_when_what_is_done_meanwhile_fails(step_fails):
    class Failing(Diary):
        def step_wait(self):
            found = super().step_wait()
            if step_fails:
                raise RuntimeError("the step failed as well")
            return found

    def work():
        raise KeyboardInterrupt

    world = Failing()
    with pytest.raises(KeyboardInterrupt):
        Meanwhile(world, work).step(np.zeros((3, 2)))
    assert world.events == ["start", "finish"]


@pytest.mark.parametrize("overlap", [False, True])
def test_learning_on_after_an_interruption_remembers_steps_that_were_made(overlap):
    class Interrupted(Points):
        steps = 0

        def step_wait(self):
            found = super().step_wait()
            self.steps += 1
            if self.steps == 8:
                raise KeyboardInterrupt
            return found

    model = make(Interrupted(), overlap=overlap)
    with pytest.raises(KeyboardInterrupt):
        model.learn(3 * 20)
    model.learn(3 * 4, reset_num_timesteps=False)
    replay = model.replay_buffer
    assert replay.total == 11
    before, after = replay.rows[:, :11, :4], replay.rows[:, :11, 4:8]
    np.testing.assert_allclose(after[..., :2], before[..., :2] + after[..., 2:], atol=1e-6)


@pytest.mark.parametrize("updates", [1, 3])
def test_counters_are_those_of_learning_after_the_step(updates):
    one, other = (
        make(overlap=overlap, updates_per_step=updates).learn(3 * 20) for overlap in (False, True)
    )
    for name in ("num_timesteps", "_n_updates", "_episode_num"):
        assert getattr(one, name) == getattr(other, name)
    assert one.replay_buffer.total == other.replay_buffer.total
    # What happened before anything was learned is the same too.
    np.testing.assert_array_equal(one.replay_buffer.rows[:, :6], other.replay_buffer.rows[:, :6])


def test_the_same_seed_learns_the_same_and_goes_on_from_a_checkpoint(tmp_path):
    whole, again, stopped = (make(overlap=True).learn(3 * n) for n in (30, 30, 20))
    assert weights(whole).equal(weights(again))
    stopped.save_checkpoint(tmp_path)
    resumed = make(seed=9, overlap=True)
    resumed.load_checkpoint(tmp_path)
    resumed.learn(3 * 10, reset_num_timesteps=False)
    assert weights(whole).equal(weights(resumed))


def test_environments_are_not_asked_anything_at_every_step(tmp_path):
    class Asked(Points):
        questions = 0

        def get_attr(self, attr_name, indices=None):
            self.questions += 1
            return super().get_attr(attr_name, indices)

    found = []
    for steps in (10, 30):
        world = Asked()
        model = make(world, overlap=True).learn(3 * steps)
        found.append(world.questions)
    assert found[0] == found[1]
    other = Diary()
    model.set_env(other)
    model.learn(3 * 2, reset_num_timesteps=False)
    assert other.events == ["start", "finish"] * 2
    model.save(tmp_path / "model")
    MultiTaskSAC.load(tmp_path / "model", env=Points(), device="cpu").learn(3 * 7)


def test_there_must_be_something_to_learn_from_first():
    with pytest.raises(SettingError, match="warm_up"):
        SACConfig(overlap=True, warm_up=0)
