"""Keyframes: the few frames of a demonstration whose gripper poses are worth predicting.

Whatever the method, keyframes are strictly increasing frame numbers; frame 0, from which nothing
leads to it, is none, and the last frame, where the task is solved, always is one.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.data.demo import Demo
from robomtl.data.exceptions import (
    DataError,
    InvalidDemoError,
    InvalidKeyframesError,
    UnknownKeyframeMethodError,
    unknown,
)

STILL = 0.1
"""Largest joint speed of an arm that stands still in [rad/s]; a speed of exactly this is still."""

BUFFER = 4
"""Frames after a stop in which no other stop is found."""


def find_keyframes(
    demo: Sequence[Any],
    method: str = "stopped",
    *,
    count: int = 20,
    rng: np.random.Generator | None = None,
) -> list[int]:
    """Finds the keyframes of a demonstration.

    Args:
        demo: A `Demo`, or any sequence of observations with `joint_velocities` and `gripper_open`
            as attributes (RLBench's own demonstrations, for one).
        method: `stopped` (see `stopped`), `fixed_interval` or `random`; `METHODS` holds them.
        count: About how many keyframes `fixed_interval` and `random` return; `stopped` finds as
            many as there are.
        rng: What `random` draws with; the others need none.

    Returns:
        Frame numbers, strictly increasing, the last one `len(demo) - 1`.

    Raises:
        UnknownKeyframeMethodError: There is no such method; the message lists those that exist.
        InvalidDemoError: Fewer than two frames, or a frame without what the method looks at.
        DataError: `random` without `rng`, or a count below 1.
    """
    check_method(method)
    if len(demo) < 2:
        raise InvalidDemoError(
            f"keyframes need at least 2 frames, this demonstration has {len(demo)}"
        )
    if count < 1:
        raise DataError(f"count must be at least 1, not {count}")
    return METHODS[method](demo, count, rng)


def stopped(joint_velocities: NDArray[np.float64], gripper_open: NDArray[np.float64]) -> list[int]:
    """ARM's rule (James and Davison, 2022), which PerAct, HiveFormer and others share.

    A frame is a keyframe where the gripper's state differs from the frame before, where the arm
    has stopped, and at the end. The arm has stopped at frame i if no joint is faster than `STILL`,
    the gripper's state is the same at i-2, i-1, i and i+1, i is before the last but one frame, and
    none of the `BUFFER` frames before was a stop. At last, if the final two keyframes are
    neighbours, the first of them is dropped.

    The rule has quirks, and all are kept, so that keyframes equal those of the published methods:

    - Frames 0 and 1 look back by Python's negative indices, to the *end* of the demonstration:
      frame 0 compares with the last two frames, frame 1 with the last. A demonstration that ends
      with another gripper state than it began with therefore has no stop at 0 and 1, whatever the
      arm does. (HiveFormer clamps these indices to 0; ARM and PerAct do not.)
    - Frame 0 is never a keyframe, yet where it counts as a stop it starts the buffer: an arm at
      rest in the first frames has its first stop at frame 5 at the earliest.
    - The buffer counts frames, not movement: an arm that rests longer is a keyframe again every
      `BUFFER` + 1 frames. Who records demonstrations keeps pauses shorter than that.
    - Only stops respect the buffer, and only stops start it: the gripper's changes do neither.
    - The last but one frame is never a stop, but can be a keyframe by a change of the gripper.
    - Only the final pair of neighbours is thinned; others, such as a gripper that opens and closes
      in successive frames, stay. The dropped frame may be the one where the gripper changed.

    Args:
        joint_velocities: (T, joints) in [rad/s].
        gripper_open: (T,).

    Returns:
        Frame numbers, strictly increasing, the last one T - 1.
    """
    last = len(gripper_open) - 1
    still = np.abs(joint_velocities).max(axis=1) <= STILL
    # Rolling around the ends is what makes frames 0 and 1 look at the last two.
    before, after = np.roll(gripper_open, 1), np.roll(gripper_open, -1)
    steady = np.all(
        [gripper_open == after, gripper_open == before, before == np.roll(before, 1)], 0
    )
    steady[last - 1 :] = False
    found: list[int] = []
    buffer = 0
    for frame in range(last + 1):
        stop = buffer <= 0 and still[frame] and steady[frame]
        buffer = BUFFER if stop else buffer - 1
        if frame > 0 and (stop or frame == last or gripper_open[frame] != before[frame]):
            found.append(frame)
    if len(found) > 1 and found[-2] == last - 1:
        del found[-2]
    return found


def fixed_interval(length: int, count: int = 20) -> list[int]:
    """Every `length // count`-th frame, as PerAct's method of this name, and the last frame.

    PerAct also returns frame 0, leaves out the last frame unless the interval meets it, and fails
    for fewer than `count` frames. Here 0 is left out, the last is in, and the interval is at least
    1, so that the result is what every method promises. Of more than `count` frames there are
    `count` keyframes or more, because the interval is rounded down; of `count` or fewer, all but
    frame 0.
    """
    interval = max(1, length // count)
    return [*range(interval, length - 1, interval), length - 1]


def random(length: int, count: int, rng: np.random.Generator) -> list[int]:
    """`count` different frames, as PerAct's method of this name, the last one always among them.

    PerAct draws all of them, frame 0 too, and fails for fewer than `count` frames. Here all but the
    last are drawn from those between the ends, all of them where there are fewer.
    """
    between = np.arange(1, length - 1)
    drawn = rng.choice(between, min(count - 1, len(between)), replace=False)
    return [*sorted(drawn.tolist()), length - 1]


def augment(demo_length: int, keyframes: Sequence[int], every: int = 10) -> list[tuple[int, int]]:
    """PerAct's demo augmentation: from every `every`-th frame, the whole rest of the chain.

    Frame i = 0, every, 2 every, ... leads to the next keyframe after it, that keyframe to its
    successor, and so on to the end. Pairs between keyframes thus come back once for every start
    before them, and late ones most often; the authors mean it so.

    Args:
        demo_length: Number of frames.
        keyframes: As `find_keyframes` returns them.
        every: Distance between starts in frames.

    Returns:
        Pairs of a frame and the index in `keyframes` of the one that it leads to.

    Raises:
        InvalidKeyframesError: Not the keyframes of a demonstration of this length.
        DataError: `every` is below 1.
    """
    check_keyframes(demo_length, keyframes)
    check_every(every)
    pairs = []
    for start in range(0, demo_length - 1, every):
        first = int(np.searchsorted(keyframes, start, side="right"))
        pairs.append((start, first))
        pairs += [(keyframes[stage - 1], stage) for stage in range(first + 1, len(keyframes))]
    return pairs


def check_keyframes(demo_length: int, keyframes: Sequence[int]) -> None:
    """Raises InvalidKeyframesError unless these are the keyframes of a demo of this length."""
    chain = [0, *keyframes]
    increasing = all(a < b for a, b in pairwise(chain))
    if not (increasing and chain[-1] == demo_length - 1):
        raise InvalidKeyframesError(
            f"keyframes of {demo_length} frames must increase strictly from 1 or more to "
            f"{demo_length - 1}, the last frame; these are {list(keyframes)}"
        )


def check_method(method: str) -> None:
    """Raises UnknownKeyframeMethodError unless there is such a method."""
    if method not in METHODS:
        raise UnknownKeyframeMethodError(unknown("keyframe method", method, METHODS))


def check_every(every: int) -> None:
    """Raises DataError unless this is a distance in frames."""
    if every < 1:
        raise DataError(f"every must be at least 1 frame, not {every}")


def _find_stopped(demo: Sequence[Any], count: int, rng: np.random.Generator | None) -> list[int]:
    return stopped(_read(demo, "joint_velocities"), _read(demo, "gripper_open"))


def _find_fixed_interval(
    demo: Sequence[Any], count: int, rng: np.random.Generator | None
) -> list[int]:
    return fixed_interval(len(demo), count)


def _find_random(demo: Sequence[Any], count: int, rng: np.random.Generator | None) -> list[int]:
    if rng is None:
        raise DataError("method 'random' draws frames: pass rng=numpy.random.default_rng(seed)")
    return random(len(demo), count, rng)


METHODS: Mapping[str, Callable[[Sequence[Any], int, np.random.Generator | None], list[int]]] = {
    "stopped": _find_stopped,
    "fixed_interval": _find_fixed_interval,
    "random": _find_random,
}
"""How keyframes can be found, by name."""


def _read(demo: Sequence[Any], name: str) -> NDArray[np.float64]:
    if isinstance(demo, Demo) and name in demo.columns:
        return demo.column(name)  # without looking at its images
    values: list[Any] = [getattr(observation, name, None) for observation in demo]
    for frame, value in enumerate(values):
        if value is None:
            raise InvalidDemoError(
                f"frame {frame} has no {name}, which keyframes are found by; record it (RLBench: "
                f"ObservationConfig({name}=True))"
            )
    return np.stack(values).astype(np.float64)
