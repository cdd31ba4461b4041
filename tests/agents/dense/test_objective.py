"""What multi-task methods see of a network."""

from itertools import pairwise

import pytest
import torch

from robomtl.agents.dense import (
    TASKS,
    ArchitectureError,
    DenseNetwork,
    DenseNetworkConfig,
    HalfSharedObjective,
    SharedBottomObjective,
    UnknownDenseTaskError,
    objective_of,
    self_auxiliaries,
)
from robomtl.methods import SharedRepresentation
from tests.agents.dense.examples import SMALL, random_batch

THREE = ("segmentation", "depth", "normals")
WITH_AUXILIARIES = (*THREE, *self_auxiliaries(THREE))


def build(heads, sharing, precision="f32", norm="group"):
    torch.manual_seed(0)
    config = DenseNetworkConfig(widths=SMALL, decoder=4, sharing=sharing, norm=norm)
    return objective_of(DenseNetwork(heads, 4, config), precision)


def reached(objective, loss):
    """Names of the modules, two levels deep, that have a gradient of the loss."""
    named = dict(objective.network.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    with_gradient = [n for n, g in zip(named, gradients, strict=True) if g is not None and g.any()]
    return {n.split(".")[0] if n.startswith("trunk") else n.split(".")[1] for n in with_gradient}


@pytest.mark.parametrize(("heads", "sharing"), [(TASKS, "full"), (WITH_AUXILIARIES, "half")])
def test_every_parameter_is_shared_or_one_tasks_own(heads, sharing):
    objective = build(heads, sharing)
    groups = [objective.shared_parameters(), *(objective.task_parameters(t) for t in heads)]
    listed = [id(p) for group in groups for p in group]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(p) for p in objective.network.parameters()}


@pytest.mark.parametrize(("heads", "sharing"), [(TASKS, "full"), (WITH_AUXILIARIES, "half")])
def test_a_loss_is_the_same_in_whatever_company(heads, sharing):
    objective, batch = build(heads, sharing), random_batch()
    together = dict(zip(heads, objective.losses(batch, heads), strict=True))
    for first, second in pairwise(reversed(heads)):
        torch.testing.assert_close(
            objective.losses(batch, (first, second)), [together[first], together[second]]
        )


def test_a_self_auxiliary_teaches_trunk_target_branch_and_its_own_decoder():
    objective, batch = build(WITH_AUXILIARIES, "half"), random_batch()
    for name in WITH_AUXILIARIES:
        (loss,) = objective.losses(batch, (name,))
        assert reached(objective, loss) == {"trunk", name.rpartition("->")[2], name}


def test_a_self_auxiliary_has_its_sources_labels():
    objective, batch = build(WITH_AUXILIARIES, "half"), random_batch()
    deeper = type(batch)(**{**vars(batch), "depth": batch.depth * 2})
    before, after = (torch.stack(objective.losses(b, WITH_AUXILIARIES)) for b in (batch, deeper))
    changed = [n for n, c in zip(WITH_AUXILIARIES, before != after, strict=True) if c]
    assert changed == ["depth", "depth->segmentation", "depth->normals"]


def test_only_what_the_asked_tasks_need_is_computed():
    objective, batch = build(WITH_AUXILIARIES, "half"), random_batch()
    run = []
    for name, part in objective.network.named_modules():
        if name.count(".") == 1 and not name.startswith("trunk"):
            part.register_forward_hook(lambda *_, name=name: run.append(name))
    objective.losses(batch, ("depth", "normals->depth"))
    assert sorted(run) == ["branches.depth", "decoders.depth", "decoders.normals->depth"]


def test_decoding_the_shared_representation_gives_the_same_losses_and_gradients():
    objective, batch = build(TASKS, "full"), random_batch()
    parameters = list(objective.network.parameters())
    direct = objective.losses(batch, TASKS)
    representation = objective.encode(batch)
    decoded = [objective.decode(representation, batch, task) for task in TASKS]
    for one, other in zip(direct, decoded, strict=True):
        torch.testing.assert_close(one, other)
    gradients = [torch.autograd.grad(sum(losses), parameters) for losses in (direct, decoded)]
    torch.testing.assert_close(*gradients)


def test_decoders_see_the_image_through_the_representation_alone():
    objective, batch = build(TASKS, "full"), random_batch()
    other = type(batch)(**{**vars(batch), "image": torch.zeros_like(batch.image)})
    representation = objective.encode(batch)
    for task in TASKS:
        expected = objective.decode(representation, batch, task)
        torch.testing.assert_close(objective.decode(representation, other, task), expected)


def test_in_half_precision_representation_and_losses_are_still_whole_floats_and_close():
    batch = random_batch()
    exact, rough = (build(TASKS, "full", precision) for precision in ("f32", "bf16"))
    assert {z.dtype for z in rough.encode(batch)} == {torch.float32}
    ours, theirs = (torch.stack(o.losses(batch, TASKS)) for o in (rough, exact))
    assert ours.dtype == torch.float32
    assert not torch.equal(ours, theirs)
    torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.02)


def test_gradients_are_those_of_finite_differences():
    objective = build(("segmentation", "depth", "noise"), "full")
    objective.network.double()
    batch = random_batch(dtype=torch.float64)
    parameters = list(objective.network.parameters())
    torch.manual_seed(1)
    direction = [torch.randn_like(p) * 1e-8 for p in parameters]
    for number in range(3):
        loss = objective.losses(batch, objective.tasks)[number]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        slope = sum(
            (g * d).sum() for g, d in zip(gradients, direction, strict=True) if g is not None
        )
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                torch._foreach_add_(parameters, direction, alpha=sign)
                ends.append(objective.losses(batch, objective.tasks)[number])
                torch._foreach_add_(parameters, direction, alpha=-sign)
        torch.testing.assert_close((ends[0] - ends[1]) / 2, slope, rtol=1e-4, atol=1e-14)


@pytest.mark.parametrize(("norm", "changes"), [("group", False), ("batch", True)])
def test_what_a_forward_pass_changes_is_among_the_buffers(norm, changes):
    objective = build(TASKS, "full", norm=norm)
    before = {k: v.clone() for k, v in objective.network.state_dict().items()}
    objective.losses(random_batch(), TASKS)
    after = objective.network.state_dict()
    changed = {after[k].data_ptr() for k in before if not torch.equal(before[k], after[k])}
    assert bool(changed) == changes
    assert changed <= {buffer.data_ptr() for buffer in objective.buffers()}


def test_the_objective_follows_what_is_shared():
    full, half = build(TASKS, "full"), build(THREE, "half")
    assert isinstance(full, SharedBottomObjective)
    assert isinstance(full, SharedRepresentation)
    assert isinstance(half, HalfSharedObjective)
    assert not isinstance(half, SharedRepresentation)
    with pytest.raises(ArchitectureError, match="share no representation"):
        SharedBottomObjective(half.network)


def test_unknown_and_disordered_heads_are_refused():
    objective = build(THREE, "full")
    with pytest.raises(UnknownDenseTaskError, match="valid names: segmentation, depth, normals"):
        objective.losses(random_batch(), ("noise",))
    with pytest.raises(UnknownDenseTaskError):
        objective.task_parameters("noise")
    with pytest.raises(ArchitectureError, match="tasks first"):
        build(("depth->normals", "depth", "normals"), "half")
