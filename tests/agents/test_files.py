import socket

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


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_single_wrong_bit_is_noticed(tmp_path, place):
    path = tmp_path / "policy.pt"
    save_atomically({"weights": torch.ones(3000)}, path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"policy\.pt"):
        load_safely(path, "cpu")


def test_what_says_nothing_about_the_file_is_not_called_damage(tmp_path):
    with pytest.raises(IsADirectoryError):
        load_safely(tmp_path, "cpu")


def test_others_may_read_what_was_saved_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "policy.pt"
    abandoned = tmp_path / f".policy.pt.{socket.gethostname()}.{2**22 + 1}.0a.tmp"
    abandoned.touch()
    save_atomically({"weights": torch.zeros(3)}, path)
    assert [file.name for file in tmp_path.iterdir()] == ["policy.pt"]
    usual = tmp_path / "usual"
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_safely(tmp_path / "policy.pt", "cpu")
