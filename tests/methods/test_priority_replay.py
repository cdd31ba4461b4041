"""Priority replay: its probabilities and weights by hand, and runs that resume to the bit."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from robomtl import methods
from robomtl.agents import AugmentationConfig, CloningObjective, KeyframeBatches, KeyframeNetwork
from robomtl.agents.network import NetworkConfig
from robomtl.agents.sampling import Uniform
from robomtl.checkpoint import load_checkpoint
from robomtl.methods import NonFiniteLossError, UnsuitableObjectiveError
from robomtl.methods.priority_replay import PriorityReplay, SampleLosses
from robomtl.training import TrainConfig, train
from tests.agents.toy import CAMERAS, TASKS, toy_data, write_toy_dataset

SIZES = {"a": 7, "b": 40}


class Sampled:
    """Two regressions, each over samples of its own."""

    tasks = ("a", "b")
    multi_domain = True

    def __init__(self, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.data = {
            task: torch.randn(size, 4, generator=generator, dtype=torch.float64)
            for task, size in SIZES.items()
        }
        self.shared = nn.Parameter(torch.randn(3, generator=generator, dtype=torch.float64))
        self.own = {task: nn.Parameter(torch.zeros((), dtype=torch.float64)) for task in SIZES}

    def shared_parameters(self):
        return [self.shared]

    def task_parameters(self, task):
        return [self.own[task]]

    def losses(self, batch, tasks):
        found, self.seen = [], {}
        for task in tasks:
            samples, importance = batch[task]
            rows = self.data[task][samples]
            each = (rows[:, :3] @ self.shared + self.own[task] - rows[:, 3]).square()
            self.seen[task] = SampleLosses(samples, each.detach())
            found.append((importance * each).mean())
        return found

    def sample_losses(self):
        return self.seen


def draw(method, batch, counts=(3, 5)):
    generator = torch.Generator().manual_seed(batch)
    return {
        task: method.draw(task, size, count, batch=batch, generator=generator)
        for (task, size), count in zip(SIZES.items(), counts, strict=True)
    }


def run(method, objective, start, end):
    """Train as a loop does that makes each batch while the step before is under way."""
    optimiser = torch.optim.SGD(methods.parameters(objective), lr=0.05)
    drawn, following = [], draw(method, start)
    for number in range(start, end):
        batch, following = following, draw(method, number + 1)
        method.backward(objective, batch)
        optimiser.step()
        drawn.append(batch)
    return drawn


def taught(losses, **settings):
    """A method that knows these losses of task "a", where they are finite."""
    method = PriorityReplay(("a",), **settings)
    losses = torch.as_tensor(losses, dtype=torch.float64)
    method.load_state_dict(method.state_dict() | {"losses": {"a": losses}})
    return method


def draw_from(method, size, count, batch=0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return method.draw("a", size, count, batch=batch, generator=generator)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_samples_are_drawn_in_proportion_to_their_priority(seed, alpha):
    losses = torch.randn(12, generator=torch.Generator().manual_seed(seed)).exp().double()
    priority = (losses + 0.01) ** alpha
    probability = priority / priority.sum()
    samples, _ = draw_from(taught(losses, alpha=alpha), 12, 500, seed=seed)
    counts = samples.bincount(minlength=12)
    # One sample falls into each of 500 equal shares, so only the shares at the ends may vary.
    assert ((counts - 500 * probability).abs() < 2).all()


def test_draws_of_a_few_are_right_on_average():
    losses = torch.tensor([0.1, 1.0, 3.0, 0.5, 0.0])
    method = taught(losses)
    total = torch.zeros(5)
    for seed in range(4000):
        total += draw_from(method, 5, 3, seed=seed)[0].bincount(minlength=5)
    priority = (losses + 0.01) ** 0.6
    torch.testing.assert_close(total / 12000, priority / priority.sum(), atol=0.01, rtol=0)


@pytest.mark.parametrize(("batch", "beta"), [(0, 0.4), (4000, 0.7), (8000, 1.0), (20000, 1.0)])
def test_importance_weights_are_the_papers_over_their_maximum(batch, beta):
    losses = torch.tensor([0.1, 1.0, 3.0, 0.5, 0.2], dtype=torch.float64)
    samples, importance = draw_from(taught(losses), 5, 64, batch=batch)
    priority = (losses + 0.01) ** 0.6
    weights = (5 * priority / priority.sum()) ** -beta
    torch.testing.assert_close(importance.double(), (weights / weights.max())[samples])
    assert importance.dtype == torch.float32


def test_in_the_end_weights_make_up_for_the_preference_altogether():
    losses = torch.tensor([0.1, 1.0, 3.0, 0.5, 0.2], dtype=torch.float64)
    samples, importance = draw_from(taught(losses), 5, 200_000, batch=8000)
    for target in (losses, losses**2, losses.flip(0)):
        estimate = (importance * target[samples]).sum() / importance.sum()
        assert float(estimate) == pytest.approx(float(target.mean()), rel=1e-3)


def test_unseen_samples_have_the_highest_priority_and_at_first_all_are_equal():
    samples, importance = draw_from(PriorityReplay(("a",)), 8, 800)
    assert samples.bincount(minlength=8).tolist() == [100] * 8
    assert importance.tolist() == [1.0] * 800
    unknown = [0.5, float("inf"), 2.0, float("inf")]
    samples, importance = draw_from(taught(unknown), 4, 1000)
    known = draw_from(taught([0.5, 2.0, 2.0, 2.0]), 4, 1000)
    assert samples.equal(known[0])
    assert importance.equal(known[1])


def test_a_loss_below_zero_counts_by_its_size():
    samples, _ = draw_from(taught([-3.0, 1.0]), 2, 100)
    assert samples.equal(draw_from(taught([3.0, 1.0]), 2, 100)[0])


def test_losses_come_into_force_two_batches_later():
    method, objective = PriorityReplay(SIZES), Sampled()
    known = []
    following = draw(method, 0)
    for number in range(3):
        batch, following = following, draw(method, number + 1)
        known.append(method.state_dict()["losses"]["b"])
        method.backward(objective, batch)
        seen = objective.sample_losses()["b"]
        if number == 0:
            first = seen
    assert known[0].isinf().all()  # batch 1 was drawn before step 0
    torch.testing.assert_close(known[1][first.samples], first.losses)
    assert int((~known[1].isinf()).sum()) == len(first.samples.unique())


def test_a_sample_drawn_twice_is_known_by_its_mean_loss():
    method, objective = PriorityReplay(("a", "b")), Sampled()
    draw(method, 0)
    ones = torch.ones(3)
    batch = {"a": (torch.tensor([2, 2, 5]), ones), "b": (torch.tensor([1, 1, 1]), ones)}
    objective.losses(batch, objective.tasks)
    objective.losses = lambda batch, tasks: [objective.shared.sum()] * 2
    objective.seen["a"] = SampleLosses(batch["a"][0], torch.tensor([1.0, 3.0, 7.0]))
    method.backward(objective, batch)
    draw(method, 2)
    losses = method.state_dict()["losses"]["a"]
    assert losses[[2, 5]].tolist() == [2.0, 7.0]


def test_the_gradient_is_that_of_the_mean_of_the_weighted_losses():
    method, one, two = PriorityReplay(SIZES), Sampled(), Sampled()
    for number in range(4):
        batch = draw(method, number)
        record = method.backward(one, batch)
    assert min(batch["b"][1]) < 1
    expected = methods.make("equal", ("a", "b")).backward(two, batch)
    assert record.losses == expected.losses
    assert record.weights == {"a": 0.5, "b": 0.5}
    for left, right in zip(methods.parameters(one), methods.parameters(two), strict=True):
        assert left.grad.equal(right.grad)


def test_samples_with_high_losses_are_seen_more_often_than_others():
    method, objective = PriorityReplay(SIZES), Sampled()
    drawn = run(method, objective, 0, 400)
    counts = torch.cat([batch["b"][0] for batch in drawn[100:]]).bincount(minlength=40)
    rows = objective.data["b"]
    residual = (rows[:, :3] @ objective.shared + objective.own["b"] - rows[:, 3]).square().detach()
    order = residual.argsort()
    assert counts[order[-10:]].sum() > 2 * counts[order[:10]].sum()
    everything = torch.cat([batch["b"][0] for batch in drawn])
    assert len(everything.unique()) == 40


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_resumed_run_draws_and_ends_the_same(cut):
    method, objective = PriorityReplay(SIZES), Sampled()
    whole = run(method, objective, 0, 9)
    first, other = PriorityReplay(SIZES), Sampled()
    run(first, other, 0, cut)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = PriorityReplay(SIZES)
    second.load_state_dict(torch.load(file, weights_only=True))
    rest = run(second, other, cut, 9)
    for one, two in zip(whole[cut:], rest, strict=True):
        assert all(x.equal(y) for task in SIZES for x, y in zip(one[task], two[task], strict=True))
    assert objective.shared.equal(other.shared)
    one, two = method.state_dict(), second.state_dict()
    assert all(one["losses"][task].equal(two["losses"][task]) for task in SIZES)
    assert one["equal"] == two["equal"]


def test_a_state_that_was_saved_does_not_change_with_the_run():
    method, objective = PriorityReplay(SIZES), Sampled()
    run(method, objective, 0, 3)
    state = method.state_dict()
    before = {task: losses.clone() for task, losses in state["losses"].items()}
    run(method, objective, 3, 6)
    assert all(before[t].equal(state["losses"][t]) for t in SIZES)


def test_a_loss_that_is_not_finite_leaves_priorities_alone():
    method, objective = PriorityReplay(SIZES), Sampled()
    run(method, objective, 0, 3)
    batch = draw(method, 4)
    before = method.state_dict()
    objective.shared.data[0] = torch.nan
    with pytest.raises(NonFiniteLossError, match="step 3"):
        method.backward(objective, batch)
    after = method.state_dict()
    assert all(before["losses"][t].equal(after["losses"][t]) for t in SIZES)


def test_tasks_that_share_their_samples_are_refused():
    objective = Sampled()
    objective.multi_domain = False
    method = PriorityReplay(SIZES)
    with pytest.raises(UnsuitableObjectiveError, match="samples of their own"):
        method.backward(objective, draw(method, 0))


def test_batches_that_it_did_not_draw_and_data_of_another_size_are_refused():
    method = PriorityReplay(SIZES)
    with pytest.raises(UnsuitableObjectiveError, match=r"'a', 'b'"):
        method.backward(Sampled(), draw(PriorityReplay(SIZES), 0))
    draw(method, 0)
    with pytest.raises(UnsuitableObjectiveError, match=r"'a' has 8 samples now, and had 7"):
        draw_from(method, 8, 1)


# In the robot's training.


@pytest.fixture(scope="module")
def toy():
    return toy_data(6, size=32)


@pytest.fixture
def batches(toy):
    return KeyframeBatches(
        toy,
        TASKS,
        cameras=CAMERAS,
        batch_size=6,
        seed=0,
        augmentation=AugmentationConfig(proprioception=0),
    )


@pytest.fixture
def objective(batches):
    torch.manual_seed(0)
    return CloningObjective(
        KeyframeNetwork(batches.stages, 3, NetworkConfig(widths=(8, 8, 16, 16), crop=16)), TASKS
    )


def test_a_batch_holds_the_samples_that_were_drawn(toy, batches):
    method = PriorityReplay(TASKS)
    losses = torch.tensor([0.0] * 8 + [1e9], dtype=torch.float64)
    method.load_state_dict(method.state_dict() | {"losses": dict.fromkeys(TASKS, losses)})
    drawn = batches.draw(3, method)
    batch = batches.batch(drawn)
    assert batch.sample.tolist() == [8] * 6
    assert batch.inputs.task.tolist() == [0, 0, 0, 1, 1, 1]
    for number, task in enumerate(batch.inputs.task.tolist()):
        row = np.flatnonzero(toy["task"] == task)[8]
        expected = torch.from_numpy(toy["gripper_pose"][row]).float()
        torch.testing.assert_close(batch.inputs.gripper_pose[number], expected)
    again = batches.batch(drawn)
    assert again.inputs.rgb.equal(batch.inputs.rgb)


def test_without_a_preference_samples_are_drawn_by_number_and_weigh_one(batches):
    batch = batches[4]
    assert batch.importance.tolist() == [1.0] * 6
    drawn = batches.draw(4, Uniform())
    assert batches.batch(drawn).sample.equal(batch.sample)
    assert batches.batch(drawn).jitter.equal(batch.jitter)


def test_every_batch_is_augmented_differently(batches):
    jitters = [tuple(row) for number in range(5) for row in batches[number].jitter.tolist()]
    assert len(set(jitters)) == 5 * 6


def test_the_cloning_loss_is_the_mean_of_its_samples_losses_times_their_importance(
    objective, batches
):
    batch = batches[0]
    plain = torch.stack(objective.losses(batch, TASKS))
    each = objective.sample_losses()
    assert list(each) == list(TASKS)
    for loss, (task, (samples, losses)) in zip(plain, each.items(), strict=True):
        torch.testing.assert_close(losses.mean(), loss.detach())
        assert samples.equal(batch.sample[batch.inputs.task == TASKS.index(task)])
        assert not losses.requires_grad
    importance = torch.tensor([0.5, 1.0, 0.25, 0.0, 1.0, 2.0])
    weighted = torch.stack(objective.losses(replace(batch, importance=importance), TASKS))
    expected = [
        (importance[i : i + 3] * each[t].losses).mean() for i, t in ((0, TASKS[0]), (3, TASKS[1]))
    ]
    torch.testing.assert_close(weighted.detach(), torch.stack(expected))
    for task in TASKS:
        torch.testing.assert_close(objective.sample_losses()[task].losses, each[task].losses)


def test_a_task_alone_reports_its_own_samples(objective, batches):
    batch = batches[0]
    (loss,) = objective.losses(batch, [TASKS[1]])
    ((task, (samples, losses)),) = objective.sample_losses().items()
    assert task == TASKS[1]
    assert samples.equal(batch.sample[3:])
    torch.testing.assert_close(losses.mean(), loss.detach())


class PowerCut(Exception):
    pass


def test_an_interrupted_training_resumes_to_the_same_bits(tmp_path):
    write_toy_dataset(tmp_path / "data", 4, size=32)
    config = TrainConfig(
        data=tmp_path / "data",
        method="priority_replay",
        iterations=6,
        batch_size=4,
        checkpoint_interval=3,
        log_interval=1,
        network=NetworkConfig(widths=(8, 8, 16, 16), crop=16),
    )

    def interrupt(iteration, policy):
        raise PowerCut

    train(config, tmp_path / "whole")
    with pytest.raises(PowerCut):
        train(config, tmp_path / "cut", interrupt)
    train(config, tmp_path / "cut")
    one, two = (
        load_checkpoint(tmp_path / name / "checkpoints" / "last.pt") for name in ("whole", "cut")
    )
    for key in ("network", "average"):
        assert all(one[key][name].equal(two[key][name]) for name in one[key])
    for task in TASKS:
        losses = [x["method"]["losses"][task] for x in (one, two)]
        assert not losses[0].isinf().all()
        assert losses[0].equal(losses[1])
