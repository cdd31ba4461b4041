"""A film: the cameras side by side, with a caption and a bar of time that has the marked frames.

VP9 in MP4, because OpenCV's wheels can write it and browsers, VLC and mpv play it; old versions of
QuickTime do not. (They could also write MPEG-4 Part 2, which no browser plays.)
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from robomtl.data.atomic import write_atomically
from robomtl.exceptions import ExperimentError
from robomtl.view.footage import RATE, Footage

HEIGHT = 256
"""Of a camera's picture in the film, in pixels."""
LINGER = 0.4
"""Seconds for which a frame stays marked."""

_LINE, _MARGIN, _BAR = 20, 6, 10  # pixels
_TEXT, _GREY, _MARK = (235, 235, 235), (110, 110, 110), (255, 60, 160)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.42


def write_film(footage: Footage, every: int, path: Path) -> None:
    """Writes an .mp4 file that takes as long as the motion did, and one to two pictures more.

    Every picture takes as long as `every` frames, and the last frame is always shown.

    Raises:
        ExperimentError: This build of OpenCV cannot encode it.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        writer = None
        for frame, seen in footage.observations(footage.shown(every)):
            pictures = [seen[f"{camera}_rgb"] for camera in footage.cameras]
            picture = _picture(footage, frame, pictures)
            if writer is None:
                writer = _writer(file, RATE / every, picture.shape[1], picture.shape[0])
            writer.write(picture[..., ::-1])
        assert writer is not None  # a demonstration has two frames
        writer.release()
        write_atomically(path, file.read_bytes())


def _writer(file: Path, rate: float, width: int, height: int) -> cv2.VideoWriter:
    codec = cv2.VideoWriter.fourcc(*"vp09")
    writer = cv2.VideoWriter(str(file), cv2.CAP_FFMPEG, codec, rate, (width, height))
    if not writer.isOpened():
        raise ExperimentError(
            "this build of OpenCV cannot encode VP9; the one of the project can: "
            "pip install --force-reinstall opencv-python-headless"
        )
    return writer


def _picture(footage: Footage, frame: int, pictures: list[np.ndarray]) -> np.ndarray:
    """One picture of the film, (H, W, 3) uint8, both even."""
    resized = [_scaled(picture) for picture in pictures]
    for camera, picture in zip(footage.cameras, resized, strict=True):
        picture[:_LINE] //= 3  # so that white can be read on it
        _write(picture, camera.replace("_", " "), _MARGIN, 15)
    row = np.hstack(resized)
    if _recently_marked(footage, frame) is not None:
        cv2.rectangle(row, (0, 0), (row.shape[1] - 1, HEIGHT - 1), _MARK, 4)
    width = max(row.shape[1], *map(_width, _captions(footage, len(footage.demo) - 1)))
    below = np.zeros((2 * _LINE + _BAR + 2 * _MARGIN, width, 3), np.uint8)
    for line, caption in enumerate(_captions(footage, frame)):
        _write(below, caption, _MARGIN, 15 + line * _LINE)
    _draw_time(below, footage, frame)
    row = np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)))
    return np.ascontiguousarray(np.vstack([row, below]))


def _captions(footage: Footage, frame: int) -> tuple[str, str]:
    """The two lines below the cameras; those of the last frame are the longest."""
    number = _recently_marked(footage, frame)
    mark = "" if number is None else f"{footage.mark} {number} of {len(footage.marked)}"
    outcome = footage.outcome if frame == len(footage.demo) - 1 else ""
    note = ", ".join(filter(None, (mark, outcome)))
    return footage.description or str(footage.demo.key), f"{frame / RATE:5.2f} s  {note}"


def _scaled(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    size = (2 * round(HEIGHT * width / height / 2), HEIGHT)  # codecs want even sizes
    kind = cv2.INTER_AREA if height > HEIGHT else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(picture, size, interpolation=kind))


def _recently_marked(footage: Footage, frame: int) -> int | None:
    """The number, from 1, of the marked frame that is this one or just before it."""
    passed = [n for n, m in enumerate(footage.marked, start=1) if 0 <= frame - m < LINGER * RATE]
    return passed[-1] if passed else None


def _draw_time(canvas: np.ndarray, footage: Footage, frame: int) -> None:
    top, bottom = canvas.shape[0] - _MARGIN - _BAR, canvas.shape[0] - _MARGIN
    width = canvas.shape[1] - 2 * _MARGIN

    def x(frame: int) -> int:
        return _MARGIN + round(width * frame / (len(footage.demo) - 1))

    cv2.rectangle(canvas, (x(0), top + 3), (x(len(footage.demo) - 1), bottom - 3), _GREY, -1)
    cv2.rectangle(canvas, (x(0), top + 3), (x(frame), bottom - 3), _TEXT, -1)
    for marked in footage.marked:
        cv2.line(canvas, (x(marked), top), (x(marked), bottom), _MARK, 2)


def _width(caption: str) -> int:
    """Pixels that a caption needs, margins included; even, as codecs want it."""
    (width, _), _ = cv2.getTextSize(_ascii(caption), _FONT, _SIZE, 1)
    return 2 * (-(-width // 2) + _MARGIN)


def _write(canvas: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(canvas, _ascii(text), (x, y), _FONT, _SIZE, _TEXT, 1, cv2.LINE_AA)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()  # all that OpenCV 4's fonts have
