import pytest

from robomtl.exceptions import RunFolderError
from robomtl.lines import StepLines, read_lines


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{]\n", "line 2 is damaged"),
        (b'{"step": "\xff"}\n', "line 2 is damaged"),
        (b"7\n", "line 2 is 7, not what a run writes down"),
        (b'{"loss": 2}\n', "line 2 does not name its step"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_lost(tmp_path, line, what):
    path = tmp_path / "metrics.jsonl"
    content = b'{"step": 1}\n' + line + b'{"step": 3}\n'
    path.write_bytes(content)
    with pytest.raises(RunFolderError, match=what):
        StepLines(path, "step", 3)
    assert path.read_bytes() == content


def test_half_a_line_and_later_lines_go(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    assert len(read_lines(path)) == 3
    lines = StepLines(path, "step", 2)
    lines.write({"step": 4})
    lines.close()
    assert [line["step"] for line in read_lines(path)] == [1, 2, 4]
