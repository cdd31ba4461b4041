"""Imitation of Meta-World's experts, with the commands of the tabletop."""

import pytest

from robomtl.agents import KeyframeNetwork, KeyframePolicy


@pytest.fixture
def run(tmp_path):
    """A run whose policy has learned nothing yet."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    cameras = ("corner2", "corner3", "gripper_pov")
    policy = KeyframePolicy(KeyframeNetwork((3,), len(cameras)), ("reach-v3",), cameras, 32)
    policy.save(tmp_path / "run" / "checkpoints" / "policy.pt")
    return tmp_path / "run"


def test_a_policy_of_meta_world_is_evaluated_there_alone(refused, printed, run):
    message = refused("evaluate", run, "--episodes", 1)
    assert "reach-v3 is metaworld's, not tabletop's: give --simulator metaworld" in message
    options = ("--episodes", 1, "--workers", 1, "--simulator", "metaworld")
    assert "reach-v3" in printed("evaluate", run, *options)


def test_a_policy_of_meta_world_is_not_viewed(refused, run):
    message = refused("view", run, "--out", run / "film.mp4")
    assert "reach-v3 is a task of metaworld" in message
    assert f"`robomtl evaluate {run} --simulator metaworld`" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--simulator metaworld", "reach_target is a task of tabletop, not of metaworld: name oth"),
        ("--tasks reach-v3", "metaworld, not of tabletop: name other --tasks, or give --simulator"),
        ("--simulator metaworld --tasks reach-v4", "unknown task 'reach-v4'; valid: assembly-v3"),
        ("--simulator metaworld --tasks reach-v3 --image-size 0", "at least 1 pixel, not 0"),
    ],
)
def test_demonstrations_that_cannot_be_are_refused_before_anything_is_made(
    options, message, refused, tmp_path
):
    assert message in refused("collect", *options.split(), "--out", tmp_path / "demos")
    assert not list(tmp_path.iterdir())
