"""Every method by its name: it trains, resumes to the bit, and takes any precision."""

import pytest
import torch

from robomtl import methods
from robomtl.methods import MethodError
from tests.methods.problems import TASKS, Bowls, saved

NEEDS_MORE = {"saal_e", "saal_w", "saal_ew", "priority_replay"}  # shown in tests of their own
NAMES = [name for name in methods.names() if name not in NEEDS_MORE]
PAIRS = ["auto_lambda+cagrad", "uncertainty+aligned_mtl", "gcs+pcgrad", "gradnorm+nash_mtl"]


class Encoded(Bowls):
    """Bowls with a shared representation: the shared parameters, shifted by the batch."""

    def encode(self, batch):
        return [self.shared - batch[0]]

    def decode(self, representation, batch, task):
        i = self.tasks.index(task)
        distance = representation[0] + self.own[task].repeat(2) - self.minima[i]
        return self.sizes[i] * (distance.square().mean() + 0.1)


class Run:
    """Training bowls with one method."""

    def __init__(self, name, kind, dtype=torch.float64):
        self.bowls = kind(dtype=dtype)
        self.optimiser = torch.optim.Adam(self.bowls.parameters(), lr=0.05)
        weights = {"a": 0.5, "b": 1.0, "c": 0.25} if name == "fixed" else None
        rate = 0.01 if methods.learns_weights(name) else None
        self.method = methods.make(
            name, TASKS, ["a", "b"], optimiser=self.optimiser, weights=weights, rate=rate
        )
        self.held_out = self.bowls.batches(20, seed=2)

    def train(self, first, last):
        records = []
        for i in range(first, last):
            batch = self.bowls.batches(20)[i]
            records.append(self.method.backward(self.bowls, batch, self.held_out[i]))
            self.optimiser.step()
        return records

    def state(self):
        return saved(
            {
                "parameters": [p.detach() for p in self.bowls.parameters()],
                "optimiser": self.optimiser.state_dict(),
                "method": self.method.state_dict(),
            }
        )

    def load(self, state):
        with torch.no_grad():
            for parameter, value in zip(self.bowls.parameters(), state["parameters"], strict=True):
                parameter.copy_(value)
        self.optimiser.load_state_dict(state["optimiser"])
        self.method.load_state_dict(state["method"])


@pytest.mark.parametrize("name", NAMES + PAIRS)
def test_a_run_resumed_half_way_ends_with_the_same_bits(name):
    whole = Run(name, Encoded)
    losses = [record.losses for record in whole.train(0, 20)]
    assert sum(losses[-1].values()) < sum(losses[0].values())
    half = Run(name, Encoded)
    half.train(0, 10)
    resumed = Run(name, Encoded)
    resumed.load(half.state())
    resumed.train(10, 20)
    for p, q in zip(whole.bowls.parameters(), resumed.bowls.parameters(), strict=True):
        assert p.equal(q)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("multi_domain", [False, True], ids=["single", "multi"])
@pytest.mark.parametrize("name", NAMES + PAIRS)
def test_every_precision_and_kind_of_problem(name, multi_domain, dtype):
    def kind(dtype):
        return Bowls(multi_domain=multi_domain, dtype=dtype)

    if name in ("mgda_ub", "aligned_mtl_ub", "ial"):
        with pytest.raises(MethodError, match="shared representation"):
            Run(name, kind, dtype).train(0, 1)
        return
    run = Run(name, kind, dtype)
    records = run.train(0, 20)
    assert sum(records[-1].losses.values()) < sum(records[0].losses.values())
    assert all(p.dtype == dtype and p.isfinite().all() for p in run.bowls.parameters())
