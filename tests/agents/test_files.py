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
        with pytest.raises(DamagedFileError, match=r"policy\.pt cannot be read: .*[^.]\.$"):
            load_safely(path, "cpu")


def test_a_single_wrong_bit_is_noticed_or_does_not_matter(tmp_path):
    path = tmp_path / "policy.pt"
    weights = torch.ones(30)
    save_atomically({"weights": weights}, path)
    whole = path.read_bytes()
    messages = []
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        try:
            found = load_safely(path, "cpu")
        except DamagedFileError as error:
            messages.append(str(error))
        else:
            assert found["weights"].equal(weights)
    assert len(messages) > len(whole) / 3
    assert all("policy.pt" in message for message in messages)


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
