"""`robomtl rl evaluate` as a user runs it, and how success is counted."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageSequence

from robomtl.rl.film import film_task
from robomtl.rl.policy import LearnedPolicy
from robomtl.rl.rollouts import successes
from robomtl.rl.training import train_rl
from tests.robomtl.rl_settings import TASKS, TINY

pytestmark = pytest.mark.usefixtures("goal_cache")


@pytest.fixture(scope="module")
def run(tmp_path_factory, goal_cache):
    out = tmp_path_factory.mktemp("run")
    train_rl(TINY, out)
    return out


class Episodes:
    """Environments whose episodes have given lengths and outcomes, by task, again and again."""

    def __init__(self, episodes):
        self.tasks = tuple(episodes)
        self.episodes = episodes
        self.goals = None

    def evaluation_goals(self, episodes):
        return np.arange(episodes)

    def set_goals(self, goals):
        self.goals = goals

    def reset(self):
        self.number = [0] * len(self.tasks)
        self.left = [self.episodes[task][0][0] for task in self.tasks]
        return np.zeros((len(self.tasks), 1), np.float32)

    def step(self, actions):
        dones, infos = np.zeros(len(self.tasks), bool), [{} for _ in self.tasks]
        for i, task in enumerate(self.tasks):
            self.left[i] -= 1
            if self.left[i] == 0:
                of = self.episodes[task]
                dones[i], infos[i] = True, {"is_success": of[self.number[i] % len(of)][1]}
                self.number[i] += 1
                self.left[i] = of[self.number[i] % len(of)][0]
        return np.zeros((len(self.tasks), 1), np.float32), None, dones, infos


@pytest.mark.parametrize("seed", range(20))
def test_every_task_is_judged_by_its_first_episodes_however_long_they_are(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    episodes = {
        task: [(int(rng.integers(1, 9)), bool(rng.integers(2))) for _ in range(8)]
        for task in "abc"[: rng.integers(1, 4)]
    }
    env = Episodes(episodes)
    ended = []
    won = successes(env, lambda observations: observations, count, lambda: ended.append(1))
    assert len(ended) == count * len(episodes)
    assert won == {task: sum(s for _, s in of[:count]) for task, of in episodes.items()}
    assert env.goals.tolist() == list(range(count))


def test_evaluating_again_what_training_measured_gives_the_same(printed, run, tmp_path):
    final = json.loads((run / "result.json").read_text())["final"]
    shown = printed("rl", "evaluate", run, "--episodes", 2, "--json", tmp_path / "j")
    summary = json.loads((tmp_path / "j").read_text())
    assert {name: summary[name] for name in final} == final
    assert summary["card"]["protocol"] == "lite"
    assert "protocol lite, modified" in shown
    assert f"episodes: {2 * len(TASKS)} of {2 * len(TASKS)}" in shown
    (kept,) = (run / "evaluations").iterdir()
    assert json.loads(kept.read_text()) == summary


def test_other_goals_than_those_of_training_are_evaluated_on_request(printed, run, tmp_path):
    printed("rl", "evaluate", run, "--episodes", 3, "--seed", 5, "--json", tmp_path / "j")
    summary = json.loads((tmp_path / "j").read_text())
    assert summary["goals_seed"] == 5
    assert summary["seed"] == 0
    assert summary["episodes"] == 3


def test_a_video_of_each_task_can_be_had(printed, run):
    printed("rl", "evaluate", run, "--episodes", 1, "--video")
    for task in TASKS:
        with Image.open(run / "videos" / f"{task}.webp") as film:
            assert film.n_frames == 20 / 4 + 1
            first = np.asarray(film.convert("RGB"))
            film.seek(film.n_frames - 1)
            assert np.asarray(film.convert("RGB")).shape == first.shape
        assert first.std() > 10


@pytest.mark.parametrize("repeat", [1, 5, 10])
def test_a_film_takes_as_long_as_its_episode(repeat, run, tmp_path):
    learned = LearnedPolicy.load(run / "policy.pt")
    policy = LearnedPolicy(learned.actor, learned.card | {"action_repeat": repeat}, learned.origin)
    film_task(policy, TASKS[0], 0, tmp_path / "film.webp")
    with Image.open(tmp_path / "film.webp") as film:
        shown = []
        for picture in ImageSequence.Iterator(film):
            picture.load()
            shown.append(picture.info["duration"])
    assert sum(shown[:-1]) == 20 * 1000 / 80  # steps of the episode, at 80 a second
    assert len(shown) == -(-20 // max(repeat, 4)) + 1


def test_a_policy_of_another_run_or_a_damaged_one_is_refused(refused, run, tmp_path, monkeypatch):
    assert "robomtl rl train" in refused("rl", "evaluate", tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    assert "runs/rl/lite-equal-0 holds no policy" in refused("rl", "evaluate")
    assert "at least 1" in refused("rl", "evaluate", run, "--episodes", 0)
    assert "which `robomtl rl evaluate` measures" in refused("evaluate", run)
    assert f"{tmp_path} is a folder" in refused("rl", "evaluate", run, "--json", tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(settings | {"network": "multi_head"}))
    assert "network was multi_head, is one_hot" in refused("rl", "evaluate", copy)
    content = (copy / "policy.pt").read_bytes()
    (copy / "policy.pt").write_bytes(content[: len(content) // 2])
    assert "policy.pt" in refused("rl", "evaluate", copy)
