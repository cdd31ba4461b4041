import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robomtl import methods
from robomtl.agents import AugmentationConfig, CloningObjective, KeyframeBatches, KeyframeNetwork
from robomtl.agents.cloning import attention_loss, best_rotation, position_loss, rotation_loss
from robomtl.agents.network import Prediction
from robomtl.agents.rotation import quaternion_multiply, rotation_z
from robomtl.methods import parameters
from tests.agents.toy import CAMERAS, TASKS

seeds = st.integers(0, 2**31)


def prediction(seed, batch=6, points=20, candidates=3):
    g = torch.Generator().manual_seed(seed)
    rotations = torch.randn(batch, candidates, 4, generator=g)
    position = torch.rand(batch, 3, generator=g)
    return Prediction(
        position=position,
        anchor=position,
        offset=torch.zeros(batch, 3),
        points=torch.rand(batch, points, 3, generator=g),
        logits=torch.randn(batch, points, generator=g),
        rotations=rotations / rotations.norm(dim=-1, keepdim=True),
        scores=torch.randn(batch, candidates, generator=g),
        gripper=torch.randn(batch, generator=g),
    )


def labels(seed, batch=6):
    g = torch.Generator().manual_seed(seed + 1)
    q = torch.randn(batch, 4, generator=g)
    q = q / q.norm(dim=-1, keepdim=True)
    return torch.cat((torch.rand(batch, 3, generator=g), q, torch.ones(batch, 1)), -1)


@given(seeds, st.sampled_from([1, 2, 4]))
def test_the_sign_of_a_quaternion_never_matters(seed, order):
    guess, action = prediction(seed), labels(seed)
    symmetry = torch.full((6,), order)
    loss = rotation_loss(guess, action, symmetry, 30.0)
    flipped = action.clone()
    flipped[:, 3:7] *= -1
    torch.testing.assert_close(rotation_loss(guess, flipped, symmetry, 30.0), loss)
    other = replace(guess, rotations=-guess.rotations)
    torch.testing.assert_close(rotation_loss(other, action, symmetry, 30.0), loss)


@given(seeds, st.sampled_from([1, 2, 4]), st.integers(0, 3))
def test_a_symmetric_object_may_be_grasped_after_any_of_its_turns(seed, order, k):
    guess, action = prediction(seed), labels(seed)
    symmetry = torch.full((6,), order)
    turned = action.clone()
    turn = rotation_z(torch.tensor(2 * math.pi * k / order))
    turned[:, 3:7] = quaternion_multiply(action[:, 3:7], turn)
    torch.testing.assert_close(
        rotation_loss(guess, turned, symmetry, 30.0),
        rotation_loss(guess, action, symmetry, 30.0),
        rtol=1e-4,
        atol=1e-4,
    )


@given(seeds)
def test_an_object_without_symmetry_must_be_grasped_as_shown(seed):
    action = labels(seed)
    right = replace(prediction(seed), rotations=action[:, None, 3:7].expand(-1, 3, -1).contiguous())
    half_turn = replace(
        right, rotations=quaternion_multiply(right.rotations, rotation_z(torch.tensor(math.pi)))
    )
    one = torch.ones(6, dtype=torch.int64)
    torch.testing.assert_close(
        rotation_loss(right, action, one, 30.0), torch.zeros(6), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(
        rotation_loss(half_turn, action, one, 30.0), torch.full((6,), 30.0), atol=1e-2, rtol=0
    )


def test_the_candidate_with_the_highest_score_is_the_one_acted_on():
    guess = prediction(0)
    best = best_rotation(guess)
    for i in range(6):
        assert best[i].equal(guess.rotations[i, guess.scores[i].argmax()])


def test_attention_is_perfect_when_it_is_the_gaussian_around_the_target():
    guess, action, sigma = prediction(3), labels(3), 0.1
    offset = torch.full((6, 3), 0.05)
    squared = (guess.points - (action[:, None, :3] - offset[:, None])).square().sum(-1)
    ideal = replace(guess, offset=offset, logits=-squared / (2 * sigma**2) + 7)
    torch.testing.assert_close(
        attention_loss(ideal, action, sigma), torch.zeros(6), atol=1e-5, rtol=0
    )
    assert (attention_loss(guess, action, sigma) > 0.01).all()


def test_attention_to_points_outside_the_workspace_is_neither_wanted_nor_a_nan():
    guess, action = prediction(4), labels(4)
    logits = guess.logits.clone()
    logits[:, :5] = -torch.inf
    logits.requires_grad_()
    loss = attention_loss(replace(guess, logits=logits), action, 0.1)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logits.grad.isfinite().all()
    assert (logits.grad[:, :5] == 0).all()
    assert (logits.grad[:, 5:] != 0).any()


def test_the_position_loss_is_the_distance_in_metres_and_smooth_at_zero():
    guess = prediction(5)
    position = guess.position.clone().requires_grad_()
    action = labels(5)
    action[:, :3] = guess.position
    action[3:, 0] += 0.3
    loss = position_loss(replace(guess, position=position), action)
    loss.sum().backward()
    torch.testing.assert_close(loss[:3], torch.zeros(3))
    torch.testing.assert_close(loss[3:], torch.full((3,), 0.3), atol=0.005, rtol=0)
    assert position.grad.isfinite().all()


@pytest.fixture
def objective(toy):
    torch.manual_seed(0)
    return CloningObjective(KeyframeNetwork((3, 3)), TASKS)


@pytest.fixture
def batches(toy):
    return KeyframeBatches(
        toy, TASKS, cameras=CAMERAS, batch_size=6, seed=0, augmentation=AugmentationConfig()
    )


def test_each_tasks_own_parameters_get_gradients_from_its_own_loss_only(objective, batches):
    for k, task in enumerate(TASKS):
        objective.network.zero_grad(set_to_none=True)
        objective.losses(batches[0], TASKS)[k].backward()
        own = objective.task_parameters(task)
        others = objective.task_parameters(TASKS[1 - k])
        assert all(p.grad is not None and p.grad.any() for p in own)
        assert not any(p.grad is not None and p.grad.any() for p in others)


def test_shared_and_task_parameters_are_all_the_networks_parameters_once(objective):
    found = [id(p) for p in parameters(objective)]
    assert sorted(found) == sorted(id(p) for p in objective.network.parameters())


def test_a_tasks_loss_does_not_depend_on_the_other_tasks_in_the_batch(objective, batches):
    batch = batches[0]
    shuffled = replace(batch, inputs=replace(batch.inputs, rgb=batch.inputs.rgb.clone()))
    shuffled.inputs.rgb[batch.inputs.task == 1] = 0.5
    first, second = objective.losses(batch, TASKS), objective.losses(shuffled, TASKS)
    assert first[0].equal(second[0])
    assert not first[1].equal(second[1])


def test_a_batch_without_samples_of_a_task_is_refused_by_name(objective, batches):
    batch = batches[0]
    inputs = replace(batch.inputs, task=torch.zeros_like(batch.inputs.task))
    with pytest.raises(ValueError, match=TASKS[1]):
        objective.losses(replace(batch, inputs=inputs), TASKS)


def test_the_network_finds_a_coloured_box_within_a_centimetre_after_a_hundred_steps(toy):
    torch.manual_seed(0)
    quiet = AugmentationConfig(shift=0, noise=0, proprioception=0, jitter=0)
    toy = {name: column[:6] for name, column in toy.items()}  # one episode of each task
    batches = KeyframeBatches(toy, TASKS, cameras=CAMERAS, batch_size=6, seed=0, augmentation=quiet)
    network = KeyframeNetwork((3, 3))
    objective = CloningObjective(network, TASKS, precision="bf16")
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    method = methods.make("equal", TASKS)
    errors = []
    for i in range(100):
        method.backward(objective, batches[i])
        optimiser.step()
        errors.append(objective.take_terms()["position_error"].mean())
    assert torch.stack(errors[:3]).mean() > 0.1
    assert torch.stack(errors[-10:]).mean() < 0.02
