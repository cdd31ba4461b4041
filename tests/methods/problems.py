"""Small objectives, and ways to run methods on them, for tests of weightings and methods."""

import io

import torch
from torch import nn

from robomtl.methods import Combination

TASKS = ("a", "b", "c")


class Slopes:
    """Single-domain losses whose values and gradients are what a test says.

    A batch is the K losses at the starting point, where parameters stay if nobody moves them.
    Each task has one parameter of its own with slope 1, so its `.grad` is that task's weight.

    Args:
        gradients: Gradients of the shared parameters, (K, P); K up to 3.
    """

    multi_domain = False

    def __init__(self, gradients):
        self.tasks = TASKS[: len(gradients)]
        self.gradients = gradients
        self.point = nn.Parameter(torch.zeros_like(gradients[0]))
        self.own = {task: nn.Parameter(gradients.new_zeros(())) for task in self.tasks}

    def shared_parameters(self):
        return [self.point]

    def task_parameters(self, task):
        return [self.own[task]]

    def losses(self, batch, tasks):
        numbers = [self.tasks.index(task) for task in tasks]
        return [
            batch[i] + self.gradients[i] @ self.point + self.own[self.tasks[i]] for i in numbers
        ]


class Bowls:
    """Three quadratic losses of different size with different minima, to train on.

    A batch is an offset for each task, (3, 4); single-domain bowls all take that of the first.

    Args:
        multi_domain: Whether each task has samples of its own.
        dtype: Precision of everything.
        seed: Where the random minima and starting points come from.
    """

    tasks = TASKS
    sizes = (0.5, 1.0, 4.0)

    def __init__(self, *, multi_domain=False, dtype=torch.float64, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape):
            return torch.randn(*shape, generator=generator, dtype=dtype)

        self.multi_domain = multi_domain
        self.dtype = dtype
        self.minima = draw(3, 4)
        self.shared = nn.Parameter(draw(4))
        self.own = {task: nn.Parameter(draw(2)) for task in self.tasks}

    def shared_parameters(self):
        return [self.shared]

    def task_parameters(self, task):
        return [self.own[task]]

    def parameters(self):
        return [self.shared, *self.own.values()]

    def losses(self, batch, tasks):
        found = []
        for i in (self.tasks.index(task) for task in tasks):
            offset = batch[i if self.multi_domain else 0]
            distance = self.shared + self.own[self.tasks[i]].repeat(2) - self.minima[i] - offset
            found.append(self.sizes[i] * (distance.square().mean() + 0.1))
        return found

    def batches(self, count, seed=1):
        """Return that many random batches."""
        generator = torch.Generator().manual_seed(seed)
        return list(0.3 * torch.randn(count, 3, 4, generator=generator, dtype=self.dtype))


def saved(state):
    """Return a state as it comes back from a file that may hold nothing but plain data."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def weigh(weighting, losses, gradients=None):
    """Feed a weighting one row of losses (steps, K) after the other; return its weights, alike.

    Parameters never move. Task gradients are orthonormal unless given, (K, P) for all steps or
    (steps, K, P).
    """
    count = losses.shape[1]
    if gradients is None:
        gradients = torch.eye(count, dtype=losses.dtype)
    method = Combination(TASKS[:count], weighting)
    rows = []
    for number, batch in enumerate(losses):
        slopes = Slopes(gradients if gradients.dim() == 2 else gradients[number])
        record = method.backward(slopes, batch)
        rows.append([record.weights[task] for task in slopes.tasks])
    return torch.tensor(rows, dtype=torch.float64)


def train(method, bowls, batches, optimiser):
    """Train on bowls; return the weights of each step, (steps, 3) float64."""
    rows = []
    for batch in batches:
        record = method.backward(bowls, batch)
        optimiser.step()
        rows.append([record.weights[task] for task in bowls.tasks])
    return torch.tensor(rows, dtype=torch.float64)


def check_resume(make, *, dtype=torch.float64, multi_domain=False, steps=13):
    """Check that a run interrupted half-way goes on to the bit as one that was not.

    Args:
        make: Makes the weighting, always the same.
        dtype: Precision of the problem.
        multi_domain: Whether the problem is.
        steps: Steps before the interruption, and after it.
    """

    def start():
        bowls = Bowls(multi_domain=multi_domain, dtype=dtype)
        optimiser = torch.optim.SGD(bowls.parameters(), lr=0.02)
        return Combination(TASKS, make()), bowls, optimiser

    method, bowls, optimiser = start()
    batches = bowls.batches(2 * steps)
    whole = train(method, bowls, batches, optimiser)
    end = [p.detach() for p in bowls.parameters()]

    method, bowls, optimiser = start()
    train(method, bowls, batches[:steps], optimiser)
    state = saved(method.state_dict())
    resumed, _, _ = start()
    resumed.load_state_dict(state)
    rest = train(resumed, bowls, batches[steps:], optimiser)
    assert whole[steps:].equal(rest)
    assert all(a.equal(b) for a, b in zip(end, bowls.parameters(), strict=True))
