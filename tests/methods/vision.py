"""A small network with every kind of layer, and the ways in which tasks can share it."""

import torch
import torch.nn.functional as F
from torch import nn

from robomtl.methods.objective import shared_parameters, task_parameters

TASKS = ("a", "b", "c")


def accept(losses):
    pass


class Vision(nn.Module):
    """Every kind of layer that is split by task, some of them used twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False)
        self.norm = nn.GroupNorm(2, 8)
        self.embedding = nn.Embedding(5, 8)
        self.linear = nn.Linear(8, 8)
        self.layer_norm = nn.LayerNorm(8)
        self.unused = nn.Linear(2, 2)
        self.heads = nn.ModuleDict({task: nn.Linear(8, 1) for task in TASKS})

    def features(self, images, which):
        x = F.relu(self.conv(images))
        x = self.norm(self.grouped(self.grouped(x)))
        x = x.mean((2, 3)) + self.embedding(which)
        return self.layer_norm(self.linear(F.relu(self.linear(x))))


class Stacked:
    """Three tasks with two, three and one samples, all in one batch."""

    tasks = TASKS
    multi_domain = True
    sizes = (2, 3, 1)

    def __init__(self, network, autocast=False):
        self.network = network
        self.autocast = autocast

    def shared_parameters(self):
        heads = {id(p) for p in self.network.heads.parameters()}
        return [p for p in self.network.parameters() if id(p) not in heads]

    def task_parameters(self, task):
        return list(self.network.heads[task].parameters())

    def counts(self, batch, tasks):
        return [self.sizes[self.tasks.index(task)] for task in tasks]

    def losses(self, batch, tasks):
        images, which, wanted = batch
        ends = torch.tensor(self.sizes).cumsum(0).tolist()
        spans = {t: slice(e - n, e) for t, n, e in zip(self.tasks, self.sizes, ends, strict=True)}
        rows = torch.cat([torch.arange(6)[spans[task]] for task in tasks])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            features = self.network.features(images[rows], which[rows])
        losses, start = [], 0
        for task in tasks:
            end = start + self.sizes[self.tasks.index(task)]
            predicted = self.network.heads[task](features[start:end].to(wanted.dtype))[:, 0]
            losses.append((predicted - wanted[spans[task]]).square().mean())
            start = end
        return losses


class Separate(Stacked):
    """The same, but computed task by task."""

    counts = None


def stacked_batch(dtype):
    return torch.randn(6, 3, 8, 8, dtype=dtype), torch.arange(6) % 5, torch.randn(6, dtype=dtype)


class Dense:
    """Three tasks that look at the same samples."""

    tasks = TASKS
    multi_domain = False

    def __init__(self, network, dropout=0.0):
        self.network = network
        self.dropout = dropout

    shared_parameters = Stacked.shared_parameters
    task_parameters = Stacked.task_parameters

    def losses(self, batch, tasks):
        images, which, wanted = batch
        features = F.dropout(self.network.features(images, which), self.dropout)
        return [(self.network.heads[t](features)[:, 0] - wanted).square().mean() for t in tasks]


class Encoded(Dense):
    """The same, with its shared representation in two parts."""

    def encode(self, batch):
        features = self.network.features(batch[0], batch[1])
        return [features[:, :3], features[:, 3:]]

    def decode(self, representation, batch, task):
        features = torch.cat(list(representation), dim=1)
        return (self.network.heads[task](features)[:, 0] - batch[2]).square().mean()


def expected(objective, batch):
    """Return each task's gradients of shared and of own parameters, by plain backward passes."""
    shared = shared_parameters(objective)
    rows = []
    for task in objective.tasks:
        own = task_parameters(objective, task)
        (loss,) = objective.losses(batch, [task])
        rows.append(torch.autograd.grad(loss, [*shared, *own], allow_unused=True))
    return rows, len(shared)
