"""Every multi-task method trains on scenes, and resumes to the bit."""

import json

import pytest

from robomtl import methods
from robomtl.agents.dense import DenseNetworkConfig, self_auxiliaries
from robomtl.data.scenes import save_scenes
from robomtl.methods import UnsuitableObjectiveError
from robomtl.scenes import training
from robomtl.scenes.training import SceneTrainConfig, train_scenes
from tests.agents.dense.examples import SMALL, random_scenes
from tests.robomtl.test_scenes import PowerCut, last, lines, same_bits, without_times

TASKS = ("segmentation", "depth", "noise")
TRANSFERS = self_auxiliaries(TASKS)
ELSEWHERE = {"priority_replay"}  # needs tasks with samples of their own
QUICK = ["auto_lambda", "auto_lambda_delayed", "aligned_mtl_ub", "ial", "saal_w"]
NAMES = [name for name in methods.names() if name not in ELSEWHERE]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenes") / "scenes.npz"
    save_scenes(path, random_scenes(validation=1, test=1))
    return path


def config(data, method, steps):
    saal = method.startswith("saal")
    transfers = TRANSFERS if saal else ()
    return SceneTrainConfig(
        data=data,
        method=method,
        tasks=TASKS,
        primary=TASKS[:2],
        self_auxiliaries=transfers,
        weights=dict.fromkeys((*TASKS, *transfers), 0.5) if takes_weights(method) else {},
        iterations=steps,
        batch_size=2,
        checkpoint_interval=steps // 2,
        log_interval=1,
        network=DenseNetworkConfig(widths=SMALL, decoder=4, sharing="half" if saal else "full"),
    )


def takes_weights(method):
    return method.split("+")[0] in ("fixed", "saal_e", "saal_ew")


def die_after_saving(path, content):
    save(path, content)
    raise PowerCut


save = training.save_checkpoint


def check(config, out, monkeypatch):
    expected = train_scenes(config, out / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", die_after_saving)
        with pytest.raises(PowerCut):
            train_scenes(config, out / "cut")
    assert last(out / "cut")["iteration"] == config.iterations // 2
    assert train_scenes(config, out / "cut") == expected
    assert same_bits(last(out / "cut"), last(out / "whole"))
    whole, cut = (list(map(without_times, lines(out / run))) for run in ("whole", "cut"))
    assert json.dumps(cut) == json.dumps(whole)
    assert set(whole[-1]["weight"]) == {*config.tasks, *config.self_auxiliaries}


@pytest.mark.parametrize("method", QUICK)
def test_a_run_resumed_half_way_ends_with_the_same_bits(data, tmp_path, monkeypatch, method):
    check(config(data, method, 6), tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [*NAMES, "auto_lambda+cagrad", "uncertainty+mgda_ub", "saal_w+pcgrad"]
)
def test_every_method_resumes_half_way_through_twenty_steps(data, tmp_path, monkeypatch, method):
    check(config(data, method, 20), tmp_path, monkeypatch)


@pytest.mark.parametrize("method", sorted(ELSEWHERE))
def test_methods_that_draw_samples_for_each_task_say_so(data, tmp_path, method):
    with pytest.raises(
        UnsuitableObjectiveError, match="needs tasks that have samples of their own"
    ):
        train_scenes(config(data, method, 2), tmp_path)
