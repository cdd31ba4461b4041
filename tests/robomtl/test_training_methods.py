"""Every multi-task method trains the keyframe policy, and resumes to the bit."""

import json

import pytest

from robomtl import methods
from robomtl.agents import NetworkConfig
from robomtl.methods import UnsuitableObjectiveError
from robomtl.training import TrainConfig, train
from tests.agents.toy import TASKS, write_toy_dataset
from tests.robomtl.test_training import PowerCut, interrupt_at, last, same_bits

# What needs a shared representation, or self-auxiliary tasks, is not for this policy.
ELSEWHERE = {"mgda_ub", "aligned_mtl_ub", "ial", "saal_e", "saal_w", "saal_ew"}
QUICK = ["auto_lambda", "aligned_mtl", "priority_replay", "famo+pcgrad"]
NAMES = [name for name in methods.names() if name not in ELSEWHERE]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "keyframes"
    write_toy_dataset(path, 4, size=32)
    return path


def config(data, method, steps):
    return TrainConfig(
        data=data,
        method=method,
        primary=TASKS[:1],
        weights={TASKS[0]: 1.0, TASKS[1]: 0.5} if method == "fixed" else {},
        iterations=steps,
        batch_size=4,
        checkpoint_interval=steps // 2,
        log_interval=1,
        network=NetworkConfig(widths=(8, 8, 16, 16), crop=16),
    )


def check(config, folder):
    train(config, folder / "whole")
    with pytest.raises(PowerCut):
        train(config, folder / "cut", interrupt_at(config.iterations // 2))
    train(config, folder / "cut")
    assert same_bits(last(folder / "cut"), last(folder / "whole"))
    lines = [json.loads(line) for line in (folder / "whole" / "metrics.jsonl").open()]
    assert set(lines[-1]["weight"]) == set(TASKS)


@pytest.mark.parametrize("method", QUICK)
def test_a_run_resumed_half_way_ends_with_the_same_bits(data, tmp_path, method):
    check(config(data, method, 6), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("method", [*NAMES, "auto_lambda+cagrad", "gcs+aligned_mtl"])
def test_every_method_resumes_half_way_through_twenty_steps(data, tmp_path, method):
    check(config(data, method, 20), tmp_path)


@pytest.mark.parametrize("method", ["mgda_ub", "ial"])
def test_methods_that_need_a_shared_representation_say_so(data, tmp_path, method):
    with pytest.raises(UnsuitableObjectiveError, match="shared representation"):
        train(config(data, method, 2), tmp_path)
