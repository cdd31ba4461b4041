import json

import pytest

from robomtl.exceptions import RunFolderError
from robomtl.written import read_json, write_json


def test_what_was_written_is_read_and_what_is_not_finite_is_null(tmp_path):
    write_json(tmp_path / "result.json", {"a": [1.5, float("nan")], "b": {"c": float("inf")}})
    assert read_json(tmp_path / "result.json") == {"a": [1.5, None], "b": {"c": None}}


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"[1]", b'{"a": "\xff"}'])
def test_a_damaged_file_is_named_and_stays(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"config\.json is damaged"):
        read_json(path)
    assert path.read_bytes() == content


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        read_json(tmp_path / "config.json")


def test_files_are_json_as_others_read_it(tmp_path):
    write_json(tmp_path / "new" / "result.json", {"a": 1})
    assert json.loads((tmp_path / "new" / "result.json").read_text()) == {"a": 1}
