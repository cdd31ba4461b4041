import math

import pytest
import torch
from torch import nn

from robomtl import methods
from robomtl.methods import Equal, NonFiniteLossError, UnknownMethodError


class TwoBowls:
    """Two quadratic losses with a shared parameter and one own parameter each."""

    tasks = ("left", "right")

    def __init__(self):
        self.shared = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.own = {task: nn.Parameter(torch.tensor(3.0)) for task in self.tasks}

    def shared_parameters(self):
        return [self.shared]

    def task_parameters(self, task):
        return [self.own[task]]

    def losses(self, batch):
        left = (self.shared - batch).square().sum() + self.own["left"]
        right = 4 * self.shared.sum() + 2 * self.own["right"]
        return [left, right]


def test_the_gradient_is_that_of_the_mean_loss():
    bowls = TwoBowls()
    Equal(bowls.tasks).backward(bowls, torch.tensor([0.0, 0.0]))
    torch.testing.assert_close(bowls.shared.grad, torch.tensor([3.0, 4.0]))
    torch.testing.assert_close(bowls.own["left"].grad, torch.tensor(0.5))
    torch.testing.assert_close(bowls.own["right"].grad, torch.tensor(1.0))


def test_gradients_are_set_and_not_added_to_those_of_the_last_step():
    bowls = TwoBowls()
    method = Equal(bowls.tasks)
    method.backward(bowls, torch.zeros(2))
    method.backward(bowls, torch.zeros(2))
    torch.testing.assert_close(bowls.shared.grad, torch.tensor([3.0, 4.0]))


def test_the_record_names_losses_and_weights():
    bowls = TwoBowls()
    record = Equal(bowls.tasks).backward(bowls, torch.zeros(2))
    assert record.losses == {"left": 8.0, "right": 18.0}
    assert record.weights == {"left": 0.5, "right": 0.5}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_non_finite_loss_names_task_and_step_and_touches_nothing(bad):
    bowls = TwoBowls()
    method = Equal(bowls.tasks)
    for _ in range(3):
        method.backward(bowls, torch.zeros(2))
    before = bowls.shared.grad.clone()
    with pytest.raises(NonFiniteLossError, match=r"step 3.*left") as caught:
        method.backward(bowls, torch.tensor([bad, 0.0]))
    assert list(caught.value.losses) == ["left"]
    assert bowls.shared.grad.equal(before)


def test_a_restored_method_counts_on():
    bowls = TwoBowls()
    method, restored = Equal(bowls.tasks), Equal(bowls.tasks)
    method.backward(bowls, torch.zeros(2))
    restored.load_state_dict(method.state_dict())
    with pytest.raises(NonFiniteLossError, match="step 1"):
        restored.backward(bowls, torch.tensor([math.nan, 0.0]))


def test_methods_are_made_by_name_and_described_in_one_line():
    assert isinstance(methods.make("equal", ("left", "right")), Equal)
    for name, line in methods.names().items():
        assert methods.make(name, ("a", "b"))
        assert line.endswith(".")


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(UnknownMethodError, match=r"magic.*equal"):
        methods.make("magic", ("left",))
