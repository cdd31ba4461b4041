import os

import pytest
import torch

from robomtl.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from robomtl.data import DiskFullError


def test_what_was_saved_is_loaded(tmp_path):
    path = tmp_path / "checkpoints" / "last.pt"
    save_checkpoint(path, {"iteration": 7, "weights": {"a": torch.arange(3)}})
    content = load_checkpoint(path)
    assert content["iteration"] == 7
    assert content["weights"]["a"].equal(torch.arange(3))
    assert set(content) == {"iteration", "weights"}


def test_a_failed_save_leaves_the_old_checkpoint_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"iteration": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match=r"no space left to write .*last\.pt"):
        save_checkpoint(path, {"iteration": 2})
    assert load_checkpoint(path) == {"iteration": 1}
    assert os.listdir(tmp_path) == ["last.pt"]


@pytest.mark.parametrize("size", [0, 10, 500])
def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path, size):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weights": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"last\.pt.*Delete it"):
        load_checkpoint(path)


def test_something_else_is_not_taken_for_a_checkpoint(tmp_path):
    path = tmp_path / "policy.pt"
    torch.save({"format": "robomtl.KeyframePolicy/1"}, path)
    with pytest.raises(CheckpointError, match="KeyframePolicy"):
        load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match="list"):
        load_checkpoint(path)
