from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robomtl.data import Demo, DemoStore, Frames, InvalidDemoError, find_keyframes

MakeDemo = Callable[..., Demo]


class Counted(Frames):
    """Pictures from an array, and the numbers of those that were looked at."""

    def __init__(self, pictures: NDArray[Any]) -> None:
        self._pictures = pictures
        self.shape, self.dtype = pictures.shape, pictures.dtype
        self.seen: list[int] = []

    def __getitem__(self, frame: int) -> NDArray[Any]:
        self.seen.append(frame)
        return self._pictures[frame]


@pytest.fixture
def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (12, 4, 6, 3), np.uint8)


def test_only_the_frames_that_are_looked_at_are_read(make_demo: MakeDemo, pictures) -> None:
    frames = Counted(pictures)
    demo = make_demo(columns={"wrist_rgb": frames})
    find_keyframes(demo)
    demo.column("gripper_pose")
    assert frames.seen == []
    np.testing.assert_array_equal(demo[5].wrist_rgb, pictures[5])
    np.testing.assert_array_equal(demo[-1].wrist_rgb, pictures[11])
    assert [frame.wrist_rgb.sum() for frame in demo[2:4]] == [p.sum() for p in pictures[2:4]]
    assert frames.seen == [5, 11, 2, 3]


def test_a_demo_of_frames_is_the_demo_of_their_array(
    make_demo: MakeDemo, pictures, tmp_path
) -> None:
    whole = make_demo(columns={"wrist_rgb": pictures})
    lazy = make_demo(columns={"wrist_rgb": Counted(pictures)})
    assert lazy.digest() == whole.digest()
    np.testing.assert_array_equal(lazy.column("wrist_rgb"), pictures)
    DemoStore(tmp_path).add(lazy)
    assert DemoStore(tmp_path).load(*lazy.key).digest() == whole.digest()


def test_frames_cannot_be_changed_by_accident(make_demo: MakeDemo, pictures) -> None:
    demo = make_demo(columns={"wrist_rgb": Counted(pictures)})
    for array in (demo[0].wrist_rgb, demo.column("wrist_rgb")):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"wrist_rgb": np.zeros((12, 4, 6))}, r"wrist_rgb has frames of float64 \(4, 6\)"),
        ({"wrist_rgb": np.zeros((12, 4, 6, 3), int)}, "wrist_rgb has frames of int64"),
        ({"wrist_rgb": np.zeros((11, 4, 6, 3), np.uint8)}, "different numbers of frames"),
        ({"wrst_rgb": np.zeros((12, 4, 6, 3), np.uint8)}, "'wrst_rgb'; valid names"),
    ],
)
def test_frames_that_are_no_column_are_refused(make_demo: MakeDemo, columns, message) -> None:
    with pytest.raises(InvalidDemoError, match=message):
        make_demo(columns={name: Counted(array) for name, array in columns.items()})
