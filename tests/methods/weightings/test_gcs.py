"""Gradient cosine similarity on gradients whose angles are known."""

import pytest
import torch

from robomtl.methods import Combination, MissingArgumentError, make
from robomtl.methods.weightings.gcs import GradientCosineSimilarity
from tests.methods.problems import TASKS, Slopes, check_resume, weigh


def weights(gradients, primary, tasks=TASKS):
    gradients = torch.tensor(gradients, dtype=torch.float64)
    losses = torch.ones(1, len(gradients), dtype=torch.float64)
    return weigh(GradientCosineSimilarity(tasks, primary), losses, gradients)[0].tolist()


def test_a_task_that_pulls_the_other_way_is_left_out():
    assert weights([[1.0, 0.0], [0.1, 5.0], [-0.1, 5.0]], ["a"]) == [1, 1, 0]


def test_a_task_at_right_angles_or_without_a_gradient_counts():
    assert weights([[1.0, 0.0], [0.0, 5.0], [0.0, 0.0]], ["a"]) == [1, 1, 1]


def test_any_task_can_be_the_primary_one():
    assert weights([[-1.0, 0.0], [0.5, 1.0], [1.0, -0.1]], ["c"]) == [0, 1, 1]


def test_several_primary_tasks_count_by_the_sum_of_their_gradients():
    # c agrees with a alone and with b alone disagrees; which of them is longer decides.
    assert weights([[3.0, 0.0], [0.0, 1.0], [1.0, -1.0]], ["a", "b"]) == [1, 1, 1]
    assert weights([[1.0, 0.0], [0.0, 3.0], [1.0, -1.0]], ["a", "b"]) == [1, 1, 0]


def test_primary_tasks_count_even_against_each_other():
    assert weights([[1.0, 0.0], [-3.0, 0.0], [1.0, 0.0]], ["a", "b"]) == [1, 1, 0]


def test_weights_are_the_signs_of_random_cosines():
    generator = torch.Generator().manual_seed(0)
    losses = torch.ones(100, 3)
    gradients = torch.randn(100, 3, 4, generator=generator)
    cosines = torch.cosine_similarity(gradients, gradients[:, :1], dim=2)
    found = weigh(GradientCosineSimilarity(TASKS, ["a"]), losses, gradients)
    assert found.equal((cosines > 0).double())


def test_a_task_that_is_left_out_trains_nothing():
    slopes = Slopes(torch.tensor([[1.0, 0.0], [-2.0, 1.0]]))
    method = Combination(("a", "b"), GradientCosineSimilarity(("a", "b"), ["a"]))
    method.backward(slopes, torch.ones(2))
    assert slopes.point.grad.tolist() == [1, 0]
    assert [slopes.own[task].grad.item() for task in ("a", "b")] == [1, 0]


def test_without_an_auxiliary_task_there_is_nothing_to_weigh():
    with pytest.raises(MissingArgumentError, match=r"gcs.*primary"):
        make("gcs", TASKS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("multi_domain", [False, True])
def test_an_interrupted_run_goes_on_to_the_bit(dtype, multi_domain):
    def fresh():
        return GradientCosineSimilarity(TASKS, ["b"])

    check_resume(fresh, dtype=dtype, multi_domain=multi_domain)
