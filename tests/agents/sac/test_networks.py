import pytest
import torch

from robomtl.agents.sac.networks import NETWORKS, Sizes
from robomtl.methods.gradients import GradientBuffer

_TASKS = 3


def make(name, **changes):
    torch.manual_seed(0)
    sizes = {
        "inputs": 5, "outputs": 2, "tasks": _TASKS, "width": 16, "depth": 2, "layer_norm": False
    }  # fmt: skip
    return NETWORKS[name](Sizes(**{**sizes, **changes})).double()


class Squares:
    """Each task's mean square of the outputs for its rows."""

    tasks = ("a", "b", "c")
    multi_domain = True

    def __init__(self, network):
        self.network = network

    def shared_parameters(self):
        own = {id(p) for t in self.tasks for p in self.task_parameters(t)}
        return [p for p in self.network.parameters() if id(p) not in own]

    def task_parameters(self, task):
        return self.network.own_parameters(self.tasks.index(task))

    def counts(self, batch, tasks):
        return [len(batch) // _TASKS] * len(tasks)

    def losses(self, batch, tasks):
        numbers = [self.tasks.index(task) for task in tasks]
        rows = batch.unflatten(0, (_TASKS, -1))[numbers].flatten(0, 1)
        values = self.network(rows, numbers).square().sum(1)
        return list(values.unflatten(0, (len(numbers), -1)).mean(1).unbind())


@pytest.fixture(params=[(name, norm) for name in NETWORKS for norm in (False, True)])
def network(request):
    name, norm = request.param
    return make(name, layer_norm=norm)


def test_groups_do_not_depend_on_each_other_nor_on_their_size(network):
    rows = torch.randn(12, 5, dtype=torch.float64)
    together = network(rows, [0, 1, 2])
    one_by_one = [network(row[None], [i // 4]) for i, row in enumerate(rows)]
    torch.testing.assert_close(together, torch.cat(one_by_one))
    backwards = network(torch.cat((rows[8:], rows[:4])), [2, 0])
    torch.testing.assert_close(backwards, torch.cat((together[8:], together[:4])))


def test_task_gradients_are_those_of_each_task_alone(network):
    """The pass over all samples at once, against one ordinary pass for each task."""
    objective = Squares(network)
    rows = torch.randn(12, 5, dtype=torch.float64)
    matrix = GradientBuffer().compute(objective, rows, lambda losses: None)
    for number, task in enumerate(objective.tasks):
        (loss,) = objective.losses(rows, [task])
        wanted = [*matrix.shared, *objective.task_parameters(task)]
        found = torch.autograd.grad(loss, wanted, allow_unused=True)
        blocks = [block[number] for block in matrix.blocks]
        for ours, theirs in zip([*blocks, *matrix.own_gradients[number]], found, strict=True):
            torch.testing.assert_close(ours, torch.zeros_like(ours) if theirs is None else theirs)


def test_no_task_reaches_what_is_another_tasks_own(network):
    objective = Squares(network)
    loss = objective.losses(torch.randn(12, 5, dtype=torch.float64), ["b"])[0]
    others = [*objective.task_parameters("a"), *objective.task_parameters("c")]
    if others:
        found = torch.autograd.grad(loss, others, allow_unused=True)
        assert all(g is None or not g.any() for g in found)


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"shared"}))
def test_networks_that_know_the_task_tell_tasks_apart(name):
    rows = torch.randn(1, 5, dtype=torch.float64).expand(3, 5)
    outputs = make(name)(rows, [0, 1, 2])
    assert (outputs[0] != outputs[1]).any()
    assert (outputs[1] != outputs[2]).any()


def test_the_shared_network_cannot():
    outputs = make("shared")(torch.ones(3, 5, dtype=torch.float64), [0, 1, 2])
    assert outputs[0].equal(outputs[1])


def test_who_owns_what():
    own = {name: sum(p.numel() for p in make(name).own_parameters(1)) for name in NETWORKS}
    total = sum(p.numel() for p in make("separate").parameters())
    assert own == {
        "shared": 0,
        "one_hot": 0,
        "encoded": 50,
        "multi_head": 16 * 2 + 2,
        "one_hot_multi_head": 16 * 2 + 2,
        "soft_modular": 16,
        "care": 50,
        "separate": total // _TASKS,
    }


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_any_depth_is_trained_throughout(name, depth):
    network = make(name, depth=depth)
    network(torch.randn(6, 5, dtype=torch.float64), [0, 1, 2]).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_soft_modules_are_mixed_by_shares():
    """All routes equal: what a module hears is the mean of those below."""
    network = make("soft_modular")
    with torch.no_grad():
        for route in network.routes:
            route.weight.zero_()
            route.bias.zero_()
    rows = torch.randn(4, 5, dtype=torch.float64)
    x = network.embed(network.state(rows)).relu()
    heard = [module(x) for module in network.layers[0]]
    heard = [module(sum(heard) / 4) for module in network.layers[1]]
    torch.testing.assert_close(network(rows, [2]), network.output(sum(heard) / 4))
