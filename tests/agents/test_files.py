import pytest
import torch

from robomtl.agents.files import DamagedFileError, load_safely, save_atomically


def test_a_file_cut_short_anywhere_is_refused_by_name(tmp_path):
    path = tmp_path / "policy.pt"
    save_atomically({"weights": torch.zeros(3000), "card": "x" * 500}, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFileError, match=r"policy\.pt"):
            load_safely(path, "cpu")


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_safely(tmp_path / "policy.pt", "cpu")
