import json
import time

import pytest
import torch

from robomtl import methods
from robomtl.bench.cloning import cloning
from robomtl.bench.memory import peak_bytes
from robomtl.bench.mt10 import mt10
from robomtl.bench.scenes import scenes
from robomtl.bench.timing import durations, ratio
from robomtl.bench.training import Training, cases
from robomtl.methods import CombinationError, UnknownMethodError


@pytest.mark.parametrize("make", [mt10, scenes, pytest.param(cloning, marks=pytest.mark.slow)])
def test_a_problem_starts_alike_for_every_method_and_is_trained(make):
    problem = make()
    assert problem.settings
    first, second = (Training(problem, "equal", next(iter(problem.settings))) for _ in range(2))
    pairs = list(zip(*(methods.parameters(t.objective) for t in (first, second)), strict=True))
    assert all(a is not b and a.equal(b) for a, b in pairs)
    before = problem.start()[0].losses(problem.batch, problem.tasks)
    for _ in range(3):
        first.step()
    after = first.objective.losses(problem.batch, problem.tasks)
    assert sum(after) < sum(before)
    assert not all(a.equal(b) for a, b in pairs)


def test_the_critic_has_the_size_of_the_benchmark_and_losses_of_its_own_samples():
    problem = mt10()
    objective, _ = problem.start()
    assert sum(p.numel() for p in objective.shared_parameters()) == 342_801
    losses = objective.losses(problem.batch, problem.tasks)
    values = objective.network(problem.batch.inputs[3])[:, 0]
    expected = torch.nn.functional.mse_loss(values, problem.batch.targets[3])
    torch.testing.assert_close(losses[3], expected)
    (alone,) = objective.losses(problem.batch, ("task3",))
    torch.testing.assert_close(alone, expected)
    assert objective.counts(problem.batch, ("task3", "task1")) == [128, 128]


def test_methods_run_in_the_setting_that_suits_them():
    suitable, refused = cases(mt10(), ("equal", "fixed", "auto_lambda", "gcs", "mgda_ub"))
    assert suitable == {
        "equal": ("equal", "all primary"),
        "fixed": ("fixed", "all primary"),
        "auto_lambda": ("auto_lambda", "all primary"),
        "auto_lambda (1 primary)": ("auto_lambda", "1 primary"),
        "gcs (1 primary)": ("gcs", "1 primary"),
    }
    assert list(refused) == ["mgda_ub"]
    assert "representation" in refused["mgda_ub"]


@pytest.mark.parametrize(
    ("name", "error"), [("magic", UnknownMethodError), ("mgda+pcgrad", CombinationError)]
)
def test_a_name_that_means_nothing_is_an_error(name, error):
    with pytest.raises(error):
        cases(mt10(), ("equal", name))


def test_durations_are_those_of_the_steps_which_take_turns():
    order = []
    advanced = []

    def step(name, seconds):
        order.append(name)
        time.sleep(seconds)

    taken = durations(
        {"short": lambda: step("short", 0), "long": lambda: step("long", 0.02)},
        repeats=4,
        warm_up=1,
        advance=lambda: advanced.append(len(order)),
    )
    assert [len(times) for times in taken.values()] == [4, 4]
    assert 0.02 <= min(taken["long"]) < 0.03  # of the second time alone
    assert min(taken["short"]) < 0.01
    assert order[::2] == order[1::2]
    assert all({*order[i : i + 4]} == {"short", "long"} for i in range(0, 20, 4))
    assert advanced == [4, 8, 12, 16, 20]


def test_ratios_are_those_within_rounds_whatever_the_machine_does_in_between():
    assert ratio([1.2, 2.4, 12.0, 1.1], [1.0, 2.0, 10.0, 5.0]) == pytest.approx(1.2)


def test_peak_memory_is_that_of_tensors_that_exist_at_the_same_time():
    megabyte = 250_000
    before = torch.zeros(megabyte)

    def work():
        kept = torch.zeros(2 * megabyte)
        for _ in range(3):  # one after the other: only one of them exists at a time
            torch.zeros(4 * megabyte)
        del kept
        before.add(1)

    assert peak_bytes(work) == pytest.approx(6e6, rel=0.01)
    assert peak_bytes(work) == pytest.approx(6e6, rel=0.01)


def test_the_command_prints_a_table_and_writes_all_numbers(printed, tmp_path):
    out = tmp_path / "bench" / "methods.json"
    chosen = ("--methods", "nash_mtl", "gcs", "ial", "--problem", "mt10")
    threads = torch.get_num_threads()
    text = printed("bench", "methods", *chosen, "--repeats", 2, "--threads", 1, "--out", out)
    assert torch.get_num_threads() == threads
    report = json.loads(out.read_text())
    assert (report["repeats"], report["threads"]) == (2, 1)
    rows = report["problems"]["mt10"]
    assert set(rows) == {"equal", "nash_mtl", "gcs (1 primary)", "ial"}
    for name in rows:  # a narrow terminal breaks a name into lines, between its words
        assert all(word in text for word in name.split())
    assert rows["equal"]["ratio"] == 1
    for name in ("equal", "nash_mtl"):
        assert 0 < rows[name]["fastest_ms"] <= rows[name]["median_ms"]
    # Ten gradients of 342,801 parameters, besides what equal weighting needs.
    gradients = 10 * 342_801 * 4
    extra = rows["nash_mtl"]["peak_bytes"] - rows["equal"]["peak_bytes"]
    assert extra == pytest.approx(gradients, rel=0.3)
    assert "name some of them as primary." in rows["ial"]["not_applicable"]
    assert "ial does not apply: " in text


def test_wrong_options_are_answered_with_what_is_wrong(refused, tmp_path):
    out = ("--out", tmp_path / "methods.json", "--problem", "mt10")
    message = refused("bench", "methods", "--methods", "magic", *out)
    assert "'magic'" in message
    assert "nash_mtl" in message
    assert "-3" in refused("bench", "methods", "--repeats", -3, *out)
    assert list(tmp_path.iterdir()) == []


def test_the_commands_of_a_group_are_named_where_one_is_missing(refused):
    assert "bench methods" in refused("bench")
