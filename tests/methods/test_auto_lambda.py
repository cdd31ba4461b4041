"""Auto-lambda against automatic differentiation through one whole training step."""

import copy

import pytest
import torch
from torch import nn

from robomtl import methods
from robomtl.methods import MissingArgumentError, NonFiniteGradientError, NonFiniteLossError
from robomtl.methods.weightings import AutoLambda

TASKS = ("a", "b", "c")


class Regression:
    """Three regressions on one hidden layer: single-domain, multi-domain, or encoded."""

    tasks = TASKS

    def __init__(self, kind="single", dtype=torch.float64, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape):
            return nn.Parameter(0.5 * torch.randn(*shape, generator=generator, dtype=dtype))

        self.kind = kind
        self.multi_domain = kind == "multi"
        self.shared = [draw(4, 6), draw(6)]
        self.own = {task: [draw(6), draw(())] for task in self.tasks}
        if kind == "encoded":
            self.encode = self._encode
            self.decode = self._decode

    def shared_parameters(self):
        return self.shared

    def task_parameters(self, task):
        return self.own[task]

    def _encode(self, batch):
        return [(batch["x"][0] @ self.shared[0] + self.shared[1]).tanh()]

    def _decode(self, representation, batch, task):
        return self._loss(representation[0], batch["y"], task)

    def _loss(self, hidden, y, task):
        weight, bias = self.own[task]
        number = self.tasks.index(task)
        return (hidden @ weight + bias - y[number]).square().mean() * (1 + number) + 0.1

    def losses(self, batch, tasks):
        found = []
        for task in tasks:
            x = batch["x"][self.tasks.index(task) if self.multi_domain else 0]
            hidden = (x @ self.shared[0] + self.shared[1]).tanh()
            found.append(self._loss(hidden, batch["y"], task))
        return found

    def everything(self):
        return [*self.shared, *(p for task in self.tasks for p in self.own[task])]


def batches(seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield {
            "x": torch.randn(3, 8, 4, generator=generator, dtype=dtype),
            "y": torch.randn(3, 8, generator=generator, dtype=dtype),
        }


OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "dampening": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, dampening=0.3),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam with decay": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "fused adam": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
}


def unrolled(problem, optimiser, weights, batch, validation_batch, primary):
    """Differentiate the validation loss after a step written out with autograd's own graph."""
    weights = weights.clone().requires_grad_()
    parameters = problem.everything()
    losses = torch.stack(problem.losses(batch, problem.tasks))
    gradients = torch.autograd.grad((weights * losses).sum(), parameters, create_graph=True)
    group = optimiser.param_groups[0]
    after = []
    for p, g in zip(parameters, gradients, strict=True):
        state = optimiser.state.get(p, {})
        decay = group["weight_decay"]
        if isinstance(optimiser, torch.optim.SGD):
            d = g + decay * p
            if group["momentum"]:
                buffer = state.get("momentum_buffer")
                kept = d if buffer is None else None
                if kept is None:
                    kept = group["momentum"] * buffer + (1 - group["dampening"]) * d
                d = d + group["momentum"] * kept if group["nesterov"] else kept
            after.append(p - group["lr"] * d)
        else:
            decoupled = isinstance(optimiser, torch.optim.AdamW)
            d = g if decoupled else g + decay * p
            beta1, beta2 = group["betas"]
            t = float(state["step"]) + 1 if state else 1
            m = (1 - beta1) * d + (beta1 * state["exp_avg"] if state else 0)
            v = (1 - beta2) * d**2 + (beta2 * state["exp_avg_sq"] if state else 0)
            step = (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + group["eps"])
            start = p * (1 - group["lr"] * decay) if decoupled else p
            after.append(start - group["lr"] * step)
    moved = copy.copy(problem)
    moved.shared = after[: len(problem.shared)]
    rest = iter(after[len(problem.shared) :])
    moved.own = {task: [next(rest) for _ in problem.own[task]] for task in problem.tasks}
    if problem.kind == "encoded":
        moved.encode, moved.decode = moved._encode, moved._decode
    total = sum(moved.losses(validation_batch, primary))
    (gradient,) = torch.autograd.grad(total, weights)
    return gradient


def learned_gradient(method):
    """Return what the weights' own Adam was given in the last step."""
    return torch.stack([scalar.grad for scalar in method.weighting._learned._scalars])


@pytest.mark.parametrize("kind", ["single", "multi", "encoded"])
@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("primary", [TASKS, ("b",)], ids=["all", "one"])
def test_the_gradient_of_lambda_is_exact_for_fifty_steps(kind, name, primary):
    problem = Regression(kind)
    optimiser = OPTIMISERS[name](problem.everything())
    method = methods.make("auto_lambda", TASKS, primary, optimiser=optimiser, rate=0.01)
    reference = torch.full((3,), 0.1, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([reference], lr=0.01)
    data, validation = batches(1), batches(2)
    for number in range(50):
        batch, held_out = next(data), next(validation)
        expected = unrolled(problem, optimiser, reference.detach(), batch, held_out, primary)
        record = method.backward(problem, batch, held_out)
        if number or "adam" not in name:  # nothing is learned from the first step of Adam
            found = learned_gradient(method)
            assert (found - expected).norm() <= 1e-9 * expected.norm()
            reference.grad = expected
            adam.step()
        weights = torch.tensor(list(record.weights.values()), dtype=torch.float64)
        torch.testing.assert_close(weights, reference.detach(), rtol=1e-8, atol=0)
        optimiser.step()
    assert not weights.allclose(torch.full_like(weights, 0.1))


class Six(Regression):
    """Six tasks: enough for the gradients of the representation to be worth it."""

    tasks = (*TASKS, "d", "e", "f")


def test_the_gradient_of_lambda_is_exact_by_way_of_the_representation():
    problem = Six("encoded")
    optimiser = OPTIMISERS["adam"](problem.everything())
    method = methods.make("auto_lambda", problem.tasks, ("b", "e"), optimiser=optimiser, rate=0.01)
    weights = torch.full((6,), 0.1, dtype=torch.float64)
    data, validation = batches(1), batches(2)
    for _ in range(20):
        batch, held_out = (
            {"x": next(stream)["x"], "y": torch.cat([next(stream)["y"], next(stream)["y"]])}
            for stream in (data, validation)
        )
        expected = unrolled(problem, optimiser, weights, batch, held_out, ("b", "e"))
        record = method.backward(problem, batch, held_out)
        if optimiser.state:
            assert (learned_gradient(method) - expected).norm() <= 1e-9 * expected.norm()
        weights = torch.tensor(list(record.weights.values()), dtype=torch.float64)
        optimiser.step()


@pytest.mark.parametrize("kind", ["single", "multi", "encoded"])
def test_the_gradient_is_that_of_the_newly_weighted_losses(kind):
    problem = Regression(kind)
    optimiser = torch.optim.SGD(problem.everything(), lr=0.1)
    method = methods.make("auto_lambda", TASKS, optimiser=optimiser, rate=0.05)
    batch, held_out = next(batches(1)), next(batches(2))
    before = [p.detach().clone() for p in problem.everything()]
    record = method.backward(problem, batch, held_out)
    weighted = sum(
        weight * loss
        for weight, loss in zip(record.weights.values(), problem.losses(batch, TASKS), strict=True)
    )
    expected = torch.autograd.grad(weighted, problem.everything())
    for p, old, gradient in zip(problem.everything(), before, expected, strict=True):
        assert p.equal(old)
        torch.testing.assert_close(p.grad, gradient)


@pytest.mark.parametrize("kind", ["single", "multi", "encoded"])
@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("primary", [TASKS, ("b",)], ids=["all", "one"])
def test_delayed_gradients_are_those_of_validating_on_the_next_batch(kind, name, primary):
    problem = Regression(kind)
    optimiser = OPTIMISERS[name](problem.everything())
    method = methods.make("auto_lambda_delayed", TASKS, primary, optimiser=optimiser, rate=0.01)
    data = batches(1)
    batch, expected = next(data), None
    for _ in range(20):
        record = method.backward(problem, batch)
        if expected is not None:
            found = learned_gradient(method)
            assert (found - expected).norm() <= 1e-9 * expected.norm()
        weights = torch.tensor(list(record.weights.values()), dtype=torch.float64)
        following = next(data)
        expected = None
        if optimiser.state or "adam" not in name:  # nothing is learned from Adam's first step
            expected = unrolled(problem, optimiser, weights, batch, following, primary)
        optimiser.step()
        batch = following
    assert not weights.allclose(torch.full_like(weights, 0.1))


def test_delayed_weights_start_as_they_are_and_need_no_validation_batch():
    problem = Regression()
    optimiser = torch.optim.SGD(problem.everything(), lr=0.01)
    method = methods.make("auto_lambda_delayed", TASKS, optimiser=optimiser)
    assert not method.uses_validation
    assert list(method.backward(problem, next(batches(1))).weights.values()) == [0.1, 0.1, 0.1]


def test_the_finite_difference_comes_close_on_smooth_losses():
    found = {}
    for name in ("auto_lambda", "auto_lambda_finite_difference"):
        problem = Regression()
        optimiser = torch.optim.SGD(problem.everything(), lr=0.1, momentum=0.9)
        method = methods.make(name, TASKS, ("a",), optimiser=optimiser)
        method.backward(problem, next(batches(1)), next(batches(2)))
        found[name] = learned_gradient(method)
    exact, approximate = found.values()
    error = (exact - approximate).norm() / exact.norm()
    assert 0 < error < 1e-3


def test_drawing_all_tasks_is_the_exact_method():
    found = []
    for name in ("auto_lambda", "auto_lambda_stochastic"):
        problem = Regression("multi")
        optimiser = torch.optim.Adam(problem.everything(), lr=0.01)
        method = methods.make(name, TASKS, optimiser=optimiser, rate=0.01)
        data, validation = batches(1), batches(2)
        for _ in range(5):
            record = method.backward(problem, next(data), next(validation))
            optimiser.step()
        found.append(torch.tensor(list(record.weights.values())))
    torch.testing.assert_close(*found)


def test_tasks_that_are_not_drawn_keep_their_weights():
    problem = Regression("multi")
    optimiser = torch.optim.SGD(problem.everything(), lr=0.01)
    weighting = methods.make("auto_lambda_stochastic", TASKS, optimiser=optimiser).weighting
    weighting.tasks_per_step = 1
    method = methods.Combination(TASKS, weighting)
    data, validation = batches(1), batches(2)
    before = [0.1, 0.1, 0.1]
    moved = set()
    for _ in range(12):
        after = list(method.backward(problem, next(data), next(validation)).weights.values())
        changed = [i for i in range(3) if after[i] != before[i]]
        assert len(changed) == 1
        moved.update(changed)
        before = after
    assert moved == {0, 1, 2}


class Normalised(Regression):
    """A regression whose hidden layer goes through batch norm."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6, dtype=torch.float64)
        self.shared = [*self.shared, *self.norm.parameters()]

    def buffers(self):
        return list(self.norm.buffers())

    def losses(self, batch, tasks):
        hidden = self.norm(batch["x"][0] @ self.shared[0] + self.shared[1])
        return [self._loss(hidden, batch["y"], task) for task in tasks]


class EncodedNormalised(Normalised):
    """The same, with its shared representation."""

    def encode(self, batch):
        return [self.norm(batch["x"][0] @ self.shared[0] + self.shared[1])]

    decode = Regression._decode


@pytest.mark.parametrize("kind", [Normalised, EncodedNormalised])
@pytest.mark.parametrize(
    "name",
    [
        "auto_lambda",
        "auto_lambda_delayed",
        "auto_lambda_finite_difference",
        "auto_lambda_stochastic",
    ],
)
def test_looking_ahead_leaves_running_statistics_alone(kind, name):
    ahead, plain = kind(), Normalised()
    optimiser = torch.optim.SGD(ahead.everything(), lr=0.5)
    batch, held_out = next(batches(1)), next(batches(2))
    methods.make(name, TASKS, optimiser=optimiser).backward(ahead, batch, held_out)
    methods.make("equal", TASKS).backward(plain, batch)
    assert ahead.norm.running_mean.equal(plain.norm.running_mean)
    assert ahead.norm.num_batches_tracked == 1


@pytest.mark.parametrize("name", ["auto_lambda", "auto_lambda_delayed", "auto_lambda_stochastic"])
def test_the_first_step_of_adam_teaches_nothing(name):
    problem = Regression("multi")
    optimiser = torch.optim.Adam(problem.everything(), lr=0.01)
    method = methods.make(name, TASKS, optimiser=optimiser, rate=0.01)
    data, validation = batches(1), batches(2)
    rows = []
    for _ in range(4):
        record = method.backward(problem, next(data), next(validation))
        rows.append(list(record.weights.values()))
        optimiser.step()
    assert rows[0] == [0.1, 0.1, 0.1]
    assert rows[-1] != rows[0]


def test_what_is_missing_is_named():
    problem = Regression()
    optimiser = torch.optim.SGD(problem.everything(), lr=0.1)
    batch = next(batches(1))
    for name in ("auto_lambda", "auto_lambda_delayed", "auto_lambda_stochastic"):
        with pytest.raises(MissingArgumentError, match="optimiser"):
            methods.make(name, TASKS).backward(problem, batch, batch)
    with pytest.raises(MissingArgumentError, match="validation_batch"):
        methods.make("auto_lambda", TASKS, optimiser=optimiser).backward(problem, batch)
    unknown = torch.optim.RMSprop(problem.everything())
    with pytest.raises(MissingArgumentError, match=r"RMSprop.*SGD, Adam"):
        methods.make("auto_lambda", TASKS, optimiser=unknown)
    stranger = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(MissingArgumentError, match="does not hold a parameter"):
        methods.make("auto_lambda", TASKS, optimiser=stranger).backward(problem, batch, batch)


def test_a_validation_loss_that_is_not_finite_changes_nothing():
    problem = Regression()
    optimiser = torch.optim.SGD(problem.everything(), lr=0.1)
    method = methods.make("auto_lambda", TASKS, ("b",), optimiser=optimiser)
    batch, held_out = next(batches(1)), next(batches(2))
    before = [p.detach().clone() for p in problem.everything()]
    held_out["y"][1, 0] = float("nan")
    with pytest.raises(NonFiniteLossError, match="b"):
        method.backward(problem, batch, held_out)
    for p, old in zip(problem.everything(), before, strict=True):
        assert p.equal(old)
        assert p.grad is None
    assert method.weighting._learned.values.tolist() == [0.1, 0.1, 0.1]


class Rooted(Regression):
    """Task c's loss has a root, of a shared or of an own parameter, that a batch may put at zero.

    There the loss is finite, and its slope is not.
    """

    def __init__(self, where):
        super().__init__()
        self.rooted = self.shared[1] if where == "shared" else self.own["c"][0]

    def losses(self, batch, tasks):
        root = (batch["scale"] * self.rooted).square().sum().sqrt()
        found = super().losses(batch, tasks)
        return [x + root if task == "c" else x for x, task in zip(found, tasks, strict=True)]


@pytest.mark.parametrize("where", ["shared", "own"])
@pytest.mark.parametrize(
    ("name", "primary"),
    [
        ("auto_lambda", TASKS),
        ("auto_lambda+pcgrad", TASKS),
        ("auto_lambda_delayed", TASKS),
        ("auto_lambda_delayed", ("b",)),
        ("auto_lambda_finite_difference", TASKS),
        ("auto_lambda_stochastic", TASKS),
    ],
)
def test_a_gradient_that_is_not_finite_is_forgotten(name, primary, where):
    found = []
    for disturbed in (False, True):
        problem = Rooted(where)
        optimiser = torch.optim.SGD(problem.everything(), lr=0.1)
        method = methods.make(name, TASKS, primary, optimiser=optimiser, rate=0.01)
        first, second, third = ({**next(data), "scale": 1.0} for data in map(batches, (1, 2, 3)))
        method.backward(problem, first, second)
        optimiser.step()
        if disturbed:
            bad = {**third, "scale": 0.0}
            training = bad if "delayed" in name else second
            with pytest.raises(NonFiniteGradientError, match=r"step 1.*c"):
                method.backward(problem, training, bad)
        found.append(list(method.backward(problem, second, third).weights.values()))
    assert found[0] == found[1] != [0.1, 0.1, 0.1]


def test_initial_weights_and_rate_are_the_papers():
    weighting = AutoLambda(TASKS, TASKS, None)
    assert weighting._learned.values.tolist() == [0.1, 0.1, 0.1]
    assert weighting._learned._adam.param_groups[0]["lr"] == 3e-5
