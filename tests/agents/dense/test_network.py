"""What a network predicts, what it shares, and what is left of it in the end."""

import pytest
import torch

from robomtl.agents.dense import (
    TASKS,
    ArchitectureError,
    DenseNetwork,
    DenseNetworkConfig,
    Head,
    UnknownDenseTaskError,
    self_auxiliaries,
)
from tests.agents.dense.examples import SMALL, random_batch

TWO = ("depth", "normals")


def network(heads, sharing="full", norm="group"):
    torch.manual_seed(0)
    config = DenseNetworkConfig(widths=SMALL, decoder=4, sharing=sharing, norm=norm)
    return DenseNetwork(heads, 4, config)


@pytest.mark.parametrize("sharing", ["full", "half"])
@pytest.mark.parametrize("norm", ["group", "batch"])
@pytest.mark.parametrize("size", [16, 48])
def test_every_task_gets_a_map_at_full_resolution(sharing, norm, size):
    maps = network(TASKS, sharing, norm)(random_batch(size=size).image)
    shapes = {task: tuple(values.shape) for task, values in maps.items()}
    assert shapes == {
        "segmentation": (3, 4, size, size),
        "depth": (3, 1, size, size),
        "normals": (3, 3, size, size),
        "noise": (3, 1, size, size),
    }
    length = maps["normals"].norm(dim=1)
    torch.testing.assert_close(length, torch.ones_like(length))


def test_samples_of_a_batch_do_not_influence_each_other():
    model, image = network(TASKS), random_batch().image
    together = model(image)
    for task, alone in model(image[1:2]).items():
        torch.testing.assert_close(alone, together[task][1:2], atol=1e-5, rtol=1e-5)


def test_every_pixel_of_a_map_sees_the_image_around_it():
    model = network(("depth",))
    image = random_batch(size=32, count=1).image.requires_grad_()
    (seen,) = torch.autograd.grad(model(image)["depth"][0, 0, 13, 20], image)
    assert (seen.abs().sum(1)[0, 10:17, 17:24] > 0).all()


@pytest.mark.parametrize(("sharing", "branches"), [("full", 1), ("half", 2)])
def test_tasks_share_one_branch_or_have_one_each(sharing, branches):
    model = network(TWO, sharing)
    assert len({model.branch_of(task) for task in TWO}) == branches
    assert len(model.branches) == branches
    assert list(model.decoders) == list(TWO)


def test_self_auxiliaries_look_through_their_targets_branch_and_predict_their_source():
    model = network((*TWO, *self_auxiliaries(TWO)), "half")
    assert list(model.heads) == ["depth", "normals", "depth->normals", "normals->depth"]
    assert model.branch_of("depth->normals") == model.branch_of("normals")
    maps = model(random_batch().image)
    assert maps["depth->normals"].shape == maps["depth"].shape
    assert maps["normals->depth"].shape == maps["normals"].shape
    assert not torch.equal(maps["depth->normals"], maps["depth"])


def test_nothing_of_self_auxiliaries_is_left_in_the_end():
    model, image = network((*TWO, *self_auxiliaries(TWO)), "half"), random_batch().image
    final = model.without_auxiliaries()
    assert list(final.heads) == list(TWO)
    assert not any("->" in name for name in final.state_dict())
    plain = network(TWO, "half")
    assert {n: p.shape for n, p in final.named_parameters()} == {
        n: p.shape for n, p in plain.named_parameters()
    }
    before = model(image)
    for task, values in final(image).items():
        torch.testing.assert_close(values, before[task], rtol=0, atol=0)


def test_self_auxiliaries_are_all_ordered_pairs():
    assert self_auxiliaries(("depth", "normals", "noise")) == (
        "depth->normals", "depth->noise", "normals->depth", "normals->noise", "noise->depth",
        "noise->normals",
    )  # fmt: skip
    assert Head.parse("depth->noise") == Head("depth->noise", "depth", "noise")
    assert not Head.parse("depth").auxiliary


@pytest.mark.parametrize("name", ["dept", "depth->", "->depth", "depth->depth", "depth->x", ""])
def test_names_that_do_not_exist_are_refused_with_those_that_do(name):
    with pytest.raises(UnknownDenseTaskError, match="valid names: segmentation, depth, normals"):
        network((name,))


@pytest.mark.parametrize(
    ("heads", "sharing", "message"),
    [
        ((), "full", "at least one"),
        (("depth", "depth"), "full", "different heads"),
        (("depth", "normals", "depth->normals"), "full", "need sharing 'half'"),
        (("depth", "depth->normals"), "half", r"\['depth->normals'\] have targets"),
    ],
)
def test_heads_that_do_not_fit_the_architecture_are_refused(heads, sharing, message):
    with pytest.raises(ArchitectureError, match=message):
        network(heads, sharing)
