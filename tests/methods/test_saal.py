"""SAAL on a small half-shared problem, against its equations and automatic differentiation."""

import pytest
import torch
from torch import nn

from robomtl import methods
from robomtl.methods import MissingArgumentError, NonFiniteGradientError, UnknownTaskError
from robomtl.methods.weightings.saal import (
    LearnedOmega,
    OmegaError,
    SelfAuxiliaryNameError,
    self_auxiliaries,
)
from tests.methods.test_auto_lambda import OPTIMISERS

REAL = ("a", "b", "c")
CLONES = tuple(f"{s}->{t}" for s in REAL for t in REAL if s != t)
TASKS = (*REAL, *CLONES)


class HalfShared:
    """A trunk, a branch of the encoder for each target, and a decoder for each task."""

    multi_domain = False

    def __init__(self, tasks=TASKS, seed=0):
        self.tasks = tuple(tasks)
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape):
            return nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64) / 2)

        self.trunk = draw(4, 5)
        self.branches = {task: draw(5, 5) for task in REAL}
        self.decoders = {task: draw(5) for task in self.tasks}
        self.computed = []

    def shared_parameters(self):
        return [self.trunk, *self.branches.values()]

    def task_parameters(self, task):
        return [self.decoders[task]]

    def losses(self, batch, tasks):
        self.computed.append(tuple(tasks))
        hidden = (batch["x"] @ self.trunk).tanh()
        found = []
        for task in tasks:
            source, _, target = task.partition("->")
            branch = (hidden @ self.branches[target or source]).tanh()
            error = branch @ self.decoders[task] - batch[source]
            found.append(error.square().mean() + 0.1)
        return found


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = {task: torch.randn(8, generator=generator, dtype=torch.float64) for task in REAL}
    return {"x": torch.randn(8, 4, generator=generator, dtype=torch.float64), **drawn}


def grads(objective):
    return {
        "trunk": objective.trunk.grad,
        **{f"branch {name}": p.grad for name, p in objective.branches.items()},
        **{f"decoder {name}": p.grad for name, p in objective.decoders.items()},
    }


def by_hand(omega):
    """Eq. 11, group by group."""
    found = {}
    for target in REAL:
        group = [task for task in TASKS if task == target or task.endswith(f"->{target}")]
        total = sum(omega[task] for task in group)
        found |= {task: omega[task] / total for task in group}
    return found


def random_omega(seed):
    generator = torch.Generator().manual_seed(seed)
    return dict(zip(TASKS, torch.rand(len(TASKS), generator=generator).tolist(), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_given_coefficients_are_normalised_for_each_target(seed):
    omega = random_omega(seed)
    method = methods.make("saal_e", TASKS, weights=omega)
    record = method.backward(HalfShared(), batch(0))
    assert record.weights == pytest.approx(by_hand(omega))
    assert sum(record.weights.values()) == pytest.approx(len(REAL))


def test_an_enumeration_lets_each_helper_count_as_much_as_its_target():
    omega = dict.fromkeys(TASKS, 0.0) | dict.fromkeys(REAL, 1.0) | {"b->a": 1.0, "c->a": 1.0}
    record = methods.make("saal_e", TASKS, weights=omega).backward(HalfShared(), batch(0))
    third = pytest.approx(1 / 3)
    assert (record.weights["a"], record.weights["b->a"], record.weights["c->a"]) == (third,) * 3
    assert record.weights["b"] == record.weights["c"] == 1
    assert all(record.weights[task] == 0 for task in CLONES if not task.endswith("->a"))


def test_a_clone_teaches_trunk_and_target_branch_and_nothing_else():
    omega = dict.fromkeys(TASKS, 0.0) | dict.fromkeys(REAL, 1.0)
    alone, taught = HalfShared(), HalfShared()
    methods.make("saal_e", TASKS, weights=omega).backward(alone, batch(0))
    # Eq. 11: target and clone now count half each.
    omega["b->a"] = 1.0
    record = methods.make("saal_e", TASKS, weights=omega).backward(taught, batch(0))
    assert record.weights["a"] == record.weights["b->a"] == 0.5
    before, after = grads(alone), grads(taught)
    changed = {
        name for name in before if not torch.equal(before[name], after[name]) and name != "trunk"
    }
    assert changed == {"branch a", "decoder a", "decoder b->a"}
    torch.testing.assert_close(2 * after["decoder a"], before["decoder a"])
    assert not before["decoder b->a"].any()
    assert after["branch b"].equal(before["branch b"])


def test_leaving_a_clone_out_is_the_same_as_weighing_it_nothing():
    helpful = {"a": ["b"], "c": ["a", "b"]}
    tasks = (*REAL, *self_auxiliaries(REAL, helpful))
    few, all_ = HalfShared(tasks), HalfShared()
    for task in tasks:
        few.decoders[task].data = all_.decoders[task].data
    few.trunk.data, few.branches = all_.trunk.data, all_.branches
    methods.make("saal_e", tasks, weights=dict.fromkeys(tasks, 1.0)).backward(few, batch(0))
    small = {name: gradient.clone() for name, gradient in grads(few).items()}
    omega = {task: float(task in tasks) for task in TASKS}
    methods.make("saal_e", TASKS, weights=omega).backward(all_, batch(0))
    for name, gradient in grads(all_).items():
        expected = small.get(name, torch.zeros_like(gradient))
        torch.testing.assert_close(gradient, expected)


def test_helpers_are_named_in_the_tasks_order_and_strangers_refused():
    assert self_auxiliaries(REAL, {"c": {"a", "b", "c"}, "a": {"c"}}) == ["a->c", "b->c", "c->a"]
    assert self_auxiliaries(REAL, {}) == []
    for helpful in ({"a": ["depth"]}, {"depth": ["a"]}):
        with pytest.raises(UnknownTaskError, match=r"depth.*'a', 'b', 'c'"):
            self_auxiliaries(REAL, helpful)


def unrolled(objective, optimiser, omega, primary):
    """Differentiate L_val after one whole step of `optimiser` with respect to omega."""
    omega = omega.clone().requires_grad_()
    named = dict(zip(TASKS, omega, strict=True))
    weights = torch.stack([by_hand(named)[task] for task in TASKS])
    losses = torch.stack(objective.losses(batch(0), TASKS))
    parameters = methods.parameters(objective)
    gradients = torch.autograd.grad((weights * losses).sum(), parameters, create_graph=True)
    moved = [step_by_hand(optimiser, p, g) for p, g in zip(parameters, gradients, strict=True)]
    copy = HalfShared()
    trunk, *rest = moved
    copy.trunk = trunk
    copy.branches = dict(zip(REAL, rest, strict=False))
    copy.decoders = dict(zip(TASKS, rest[len(REAL) :], strict=True))
    total = torch.stack(copy.losses(batch(1), primary)).sum()
    return torch.autograd.grad(total, omega)[0]


def step_by_hand(optimiser, parameter, gradient):
    group, state = optimiser.param_groups[0], optimiser.state[parameter]
    if isinstance(optimiser, torch.optim.SGD):
        velocity = gradient + group["weight_decay"] * parameter.detach()
        if group["momentum"]:
            velocity = group["momentum"] * state["momentum_buffer"] + velocity
        return parameter.detach() - group["lr"] * velocity
    beta1, beta2 = group["betas"]
    count = state["step"].item() + 1
    mean = (beta1 * state["exp_avg"] + (1 - beta1) * gradient) / (1 - beta1**count)
    square = (beta2 * state["exp_avg_sq"] + (1 - beta2) * gradient**2) / (1 - beta2**count)
    return parameter.detach() - group["lr"] * mean / (square.sqrt() + group["eps"])


@pytest.mark.parametrize("kind", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("primary", [REAL, ("b",)])
@pytest.mark.parametrize("masked", [False, True])
def test_omega_descends_the_exact_gradient_of_the_loss_one_step_ahead(
    kind, primary, masked, monkeypatch
):
    objective = HalfShared()
    optimiser = OPTIMISERS[kind](methods.parameters(objective))
    for step in range(3):  # fills the optimiser's averages
        methods.make("equal", TASKS).backward(objective, batch(10 + step))
        optimiser.step()
    mask = torch.tensor([float(t != "a->b") * (1 + (t == "c")) for t in TASKS])
    given = mask.double() if masked else None
    weighting = LearnedOmega(TASKS, primary, optimiser, given=given)
    omega = torch.tensor(list(random_omega(0).values()), dtype=torch.float64)
    weighting._learned.values = omega
    seen = []
    monkeypatch.setattr(weighting._learned, "descend", lambda gradient: seen.append(gradient))
    methods.Combination(TASKS, weighting).backward(objective, batch(0), batch(1))
    if masked:
        # by_hand knows no mask: the derivative with respect to omega is the mask's times more.
        expected = given * unrolled(objective, optimiser, given * omega, primary)
    else:
        expected = unrolled(objective, optimiser, omega, primary)
    torch.testing.assert_close(seen[0], expected, rtol=1e-9, atol=1e-13)
    assert seen[0].abs().max() > 1e-6


def test_validation_computes_real_tasks_alone():
    objective = HalfShared()
    optimiser = torch.optim.SGD(methods.parameters(objective), lr=0.1)
    method = methods.make("saal_w", TASKS, optimiser=optimiser)
    method.backward(objective, batch(0), batch(1))
    assert objective.computed == [TASKS, REAL]


class Rooted(HalfShared):
    """Losses with a root that a batch may put at zero, where its slope is not finite."""

    def losses(self, batch, tasks):
        root = (batch["scale"] * self.trunk).square().sum().sqrt()
        return [loss + root for loss in super().losses(batch, tasks)]


def test_a_gradient_that_is_not_finite_leaves_the_coefficients_alone():
    objective = Rooted()
    optimiser = torch.optim.SGD(methods.parameters(objective), lr=0.1)
    method = methods.make("saal_w", TASKS, optimiser=optimiser)
    good, bad = {**batch(0), "scale": 1.0}, {**batch(1), "scale": 0.0}
    before = method.backward(objective, good, good).weights
    with pytest.raises(NonFiniteGradientError, match="step 1"):
        method.backward(objective, good, bad)
    after = method.weighting.effective(method.weighting._learned.values)
    assert after.tolist() == list(before.values())
    method.backward(objective, good, good)


def train(method, objective, optimiser, steps):
    for step in steps:
        record = method.backward(objective, batch(2 * step), batch(2 * step + 1))
        optimiser.step()
    return record


def test_learned_coefficients_start_alike_and_stay_normalised_and_not_negative():
    objective = HalfShared()
    optimiser = torch.optim.SGD(methods.parameters(objective), lr=0.1)
    method = methods.make("saal_w", TASKS, optimiser=optimiser, rate=0.05)
    start = method.weighting.effective(method.weighting._learned.values)
    torch.testing.assert_close(start, torch.full((9,), 1 / 3, dtype=torch.float64))
    for step in range(30):
        record = train(method, objective, optimiser, [step])
        for target in REAL:
            group = [w for t, w in record.weights.items() if t.rpartition("->")[2] == target]
            assert sum(group) == pytest.approx(1)
            assert min(group) >= 0
    assert min(record.weights.values()) == 0  # with such a rate some reach the bound


def test_a_coefficient_at_zero_can_rise_again():
    objective = HalfShared()
    optimiser = torch.optim.SGD(methods.parameters(objective), lr=0.1)
    weighting = LearnedOmega(TASKS, REAL, optimiser, rate=0.01)
    weighting._learned.values = torch.zeros(9, dtype=torch.float64)
    record = methods.Combination(TASKS, weighting).backward(objective, batch(0), batch(1))
    assert max(record.weights.values()) > 0


def test_with_zero_in_the_enumeration_a_coefficient_stays_zero():
    objective = HalfShared()
    optimiser = torch.optim.SGD(methods.parameters(objective), lr=0.1)
    given = {task: float(task in (*REAL, "a->b", "c->a")) for task in TASKS}
    method = methods.make("saal_ew", TASKS, optimiser=optimiser, weights=given, rate=0.01)
    record = train(method, objective, optimiser, range(5))
    assert {task for task, weight in record.weights.items() if weight} == {*REAL, "a->b", "c->a"}
    assert record.weights["c"] == 1
    assert record.weights["a->b"] != pytest.approx(0.5, abs=1e-3)


def test_the_paper_moves_omega_by_adam_at_a_ten_thousandth():
    objective = HalfShared()
    optimiser = torch.optim.SGD(methods.parameters(objective), lr=0.1)
    method = methods.make("saal_w", TASKS, optimiser=optimiser)
    before = method.weighting._learned.values
    train(method, objective, optimiser, [0])
    moves = (method.weighting._learned.values - before).abs()
    torch.testing.assert_close(moves, torch.full_like(moves, 1e-4), rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", ["saal_w", "saal_ew"])
def test_a_resumed_run_goes_on_to_the_same_bits(name):
    def make(optimiser):
        given = random_omega(4) if name == "saal_ew" else None
        return methods.make(name, TASKS, optimiser=optimiser, weights=given, rate=0.01)

    def start():
        objective = HalfShared()
        return objective, torch.optim.Adam(methods.parameters(objective), lr=0.01)

    objective, optimiser = start()
    whole = train(make(optimiser), objective, optimiser, range(8))
    objective, optimiser = start()
    first = make(optimiser)
    train(first, objective, optimiser, range(4))
    second = make(optimiser)
    second.load_state_dict(first.state_dict())
    again = train(second, objective, optimiser, range(4, 8))
    assert (again.losses, again.weights) == (whole.losses, whole.weights)


@pytest.mark.parametrize("name", ["saal_e", "saal_w", "saal_ew"])
def test_names_that_make_no_sense_are_refused_with_what_was_expected(name):
    def make(tasks):
        weights = None if name == "saal_w" else dict.fromkeys(tasks, 1.0)
        return methods.make(name, tasks, weights=weights)

    with pytest.raises(MissingArgumentError, match="source->target"):
        make(REAL)
    for wrong in ("a->d", "d->a", "a->a", "a->b->c", "->a", "a->"):
        with pytest.raises(SelfAuxiliaryNameError, match=rf"'{wrong}'.*\['a', 'b', 'c'\]"):
            make((*REAL, wrong))


def test_missing_or_meaningless_coefficients_are_refused():
    for name in ("saal_e", "saal_ew"):
        with pytest.raises(MissingArgumentError, match="weights"):
            methods.make(name, TASKS)
        with pytest.raises(MissingArgumentError, match="weights"):
            methods.make(name, TASKS, weights=dict.fromkeys(REAL, 1.0))
        for bad in (-1.0, float("nan"), float("inf")):
            with pytest.raises(OmegaError, match="at least 0"):
                methods.make(name, TASKS, weights=dict.fromkeys(TASKS, 1.0) | {"a->b": bad})
        with pytest.raises(OmegaError, match=r"\['b'\]"):
            methods.make(name, TASKS, weights={t: float(not t.endswith("b")) for t in TASKS})


def test_self_auxiliaries_are_nobodys_primary_tasks():
    with pytest.raises(MissingArgumentError, match="real tasks"):
        methods.make("saal_w", TASKS, ["a->b"])


def test_the_arrow_is_that_of_the_dense_networks():
    from robomtl.agents import dense

    assert dense.self_auxiliaries(REAL) == tuple(self_auxiliaries(REAL, dict.fromkeys(REAL, REAL)))
