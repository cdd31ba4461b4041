"""Whatever happens to the files, nobody learns from a wrong demonstration unawares."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from robomtl.data import DataError, Demo, read_rlbench_demo, write_rlbench_demo
from robomtl.data.rlbench import episode_problems

Damage = Callable[[random.Random, Path], None]


def flip(rng: random.Random, file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def overwrite(rng: random.Random, file: Path) -> None:
    content = bytearray(file.read_bytes())
    start = rng.randrange(len(content))
    content[start : start + 8] = rng.randbytes(len(content[start : start + 8]))
    file.write_bytes(content)


def cut(rng: random.Random, file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content))])


def lose(rng: random.Random, file: Path) -> None:
    file.unlink()


def swap(rng: random.Random, file: Path) -> None:
    other = rng.choice(sorted(path for path in file.parent.rglob("*.p*") if path != file) or [file])
    content = file.read_bytes()
    file.write_bytes(other.read_bytes())
    other.write_bytes(content)


def add(rng: random.Random, file: Path) -> None:
    shutil.copy(file, file.with_name(rng.choice(["2.png", "01.png", "more", ".hidden"])))


def lose_folder(rng: random.Random, file: Path) -> None:
    shutil.rmtree(file.parent) if file.suffix == ".png" else file.unlink()


DAMAGES: tuple[Damage, ...] = (flip, overwrite, cut, lose, swap, add, lose_folder)


class Copies:
    """One variation with one episode, whole again before each damage."""

    def __init__(self, variation: Path, checksums: bool) -> None:
        self.variation = variation
        self.episode = variation / "episodes" / "episode0"
        if not checksums:
            (self.episode / "checksums.sha256").unlink()
        self.whole = {path: path.read_bytes() for path in variation.rglob("*") if path.is_file()}

    def damage(self, seed: int) -> str:
        """Does one thing to one file; returns what."""
        for path in self.variation.rglob("*"):
            if path.is_file() and path not in self.whole:
                path.unlink()
        for path, content in self.whole.items():
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        rng = random.Random(seed)
        pictures = sorted(path for path in self.whole if path.suffix == ".png")
        file = rng.choice(
            pictures if rng.random() < 0.5 else sorted(self.whole.keys() - set(pictures))
        )
        damage = rng.choice(DAMAGES)
        damage(rng, file)
        return f"{damage.__name__} {file}"


@pytest.fixture
def variation(make_recorded: Callable[..., Demo], tmp_path: Path) -> Path:
    """The folder of a variation with one small episode."""
    folder = tmp_path / "push_button" / "variation2"
    write_rlbench_demo(make_recorded(0, 2, (2, 3)), folder / "episodes" / "episode0")
    return folder


def read(episode: Path) -> tuple[str | None, str]:
    """The digest of the demo, or None and why there is none."""
    try:
        return read_rlbench_demo(episode).digest(), ""
    except DataError as error:
        return None, str(error)


def test_any_damage_to_what_we_wrote_is_an_error_or_changes_nothing(variation: Path) -> None:
    copies = Copies(variation, checksums=True)
    digest, _ = read(copies.episode)
    errors = 0
    for seed in range(200):
        what = copies.damage(seed)
        found, error = read(copies.episode)
        assert found in (None, digest), what
        assert found is not None or str(variation) in error, f"{what}: {error}"
        errors += found is None
    assert errors > 170


def test_any_damage_to_what_rlbench_wrote_is_an_error_or_leaves_a_demo(variation: Path) -> None:
    copies = Copies(variation, checksums=False)
    errors = 0
    for seed in range(80):
        what = copies.damage(seed)
        found, error = read(copies.episode)
        assert found is not None or str(variation) in error, f"{what}: {error}"
        errors += found is None
    assert errors > 40


@pytest.mark.parametrize("checksums", [True, False])
def test_a_check_finds_a_problem_where_reading_does(variation: Path, checksums: bool) -> None:
    copies = Copies(variation, checksums)
    for seed in range(1000, 1030):
        what = copies.damage(seed)
        found, _ = read(copies.episode)
        assert (found is None) == bool(episode_problems(copies.episode)), what


def test_all_problems_are_listed_not_only_the_first(episode: Path) -> None:
    (episode / "checksums.sha256").unlink()
    (episode / "wrist_rgb" / "0.png").unlink()
    (episode / "wrist_rgb" / "1.png").write_bytes(b"no picture")
    (episode / "front_mask" / "7.png").write_bytes(b"")
    (episode / "front_depth" / "2.png").write_bytes(b"")
    shared = episode.parent.parent / "variation_descriptions.pkl"
    shared.write_bytes(b"cos\nsystem\n.")
    problems = episode_problems(episode)
    expected = (
        "variation_descriptions.pkl is not safe to open: it asks for os.system",
        "wrist_rgb/0.png is missing",
        "wrist_rgb/1.png: it is not a PNG file",
        "front_depth/2.png: it is not a PNG file",
        "front_mask/7.png belongs to no frame",
    )
    assert len(problems) == len(expected)
    for part in expected:
        assert sum(part in problem for problem in problems) == 1, part
