import pytest

from robomtl.episode import Episode
from robomtl.episode_log import EpisodeLog
from robomtl.exceptions import RunFolderError

WON = Episode("reach_target", 0, 1_000_000, success=True, steps=1, error=None)
LOST = Episode("push_button", 0, 1_000_001, success=False, steps=3, error="UnreachablePoseError")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "evaluations" / "episodes.jsonl"
    with EpisodeLog(path) as log:
        log.append(WON)
        log.append(LOST)
    return path


def test_episodes_are_there_again_when_the_log_is_reopened(path):
    with EpisodeLog(path) as log:
        assert list(log.episodes.values()) == [WON, LOST]


def test_an_episode_is_on_disk_as_soon_as_it_is_appended(tmp_path):
    with EpisodeLog(tmp_path / "episodes.jsonl") as log:
        log.append(WON)
        with EpisodeLog(tmp_path / "episodes.jsonl") as reader:
            assert list(reader.episodes.values()) == [WON]


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_half_written_last_line_is_dropped_and_the_next_one_is_whole(path, kept):
    first, second = path.read_text().splitlines(keepends=True)
    path.write_text(first + second[:kept])
    with EpisodeLog(path) as log:
        assert list(log.episodes.values()) == [WON]
        log.append(LOST)
    assert path.read_text() == first + second


def test_a_damaged_line_is_named(path):
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(RunFolderError, match=r"episodes\.jsonl, line 1 is not an episode"):
        EpisodeLog(path)
