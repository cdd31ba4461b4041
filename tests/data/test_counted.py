import pytest

from robomtl.data.counted import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 episodes"), (1, "1 episode"), (2, "2 episodes")]
)
def test_only_one_is_not_many(number, text):
    assert counted(number, "episode") == text
