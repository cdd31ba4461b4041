"""From keyframes to samples: which frames a policy sees, and what it should answer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robomtl.data.demo import Demo
from robomtl.data.keyframes import check_every, check_keyframes


def keyframe_samples(
    demo: Sequence[object], keyframes: Sequence[int], every: int | None = None
) -> list[tuple[int, int]]:
    """Pairs each frame that a policy is trained on with the keyframe that should follow.

    Frame 0 and every keyframe but the last are there (HiveFormer's keystep to keystep). `every`
    adds frames on the way, in the first half of each segment only: near the next keyframe, images
    look like those at it, whose answer is the keyframe after. Policies trained on both stall.

    Args:
        demo: Whose frames they are; only its length matters.
        keyframes: As `find_keyframes` returns them.
        every: Distance in frames between those added on the way; None adds none.

    Returns:
        Pairs of a frame and the index in `keyframes` of the one to predict, ordered by frame.

    Raises:
        InvalidKeyframesError: Not the keyframes of a demonstration of this length.
        DataError: `every` is below 1.
    """
    check_keyframes(len(demo), keyframes)
    if every is not None:
        check_every(every)
    pairs = []
    start = 0
    for stage, end in enumerate(keyframes):
        pairs.append((start, stage))
        if every is not None:
            half = start + (end - start) // 2
            pairs += [(frame, stage) for frame in range(start + every, half + 1, every)]
        start = end
    return pairs


def keyframe_action(demo: Demo, keyframe: int) -> NDArray[np.float64]:
    """The action that leads to a keyframe: its gripper pose and whether the gripper is open.

    Returns:
        x y z in [m], quaternion x y z w with w >= 0, gripper open (0 or 1), (8,).
    """
    pose = demo.column("gripper_pose")[keyframe].copy()
    if pose[6] < 0:
        pose[3:] *= -1
    return np.append(pose, demo.column("gripper_open")[keyframe])


def low_dim_samples(
    demo: Demo, keyframes: Sequence[int], pairs: Sequence[tuple[int, int]]
) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    """All that a keyframe dataset holds of N samples, except what the cameras see.

    Args:
        demo: Where the samples come from.
        keyframes: As `find_keyframes` returns them.
        pairs: As `keyframe_samples` or `augment` return them.

    Returns:
        Proprioception of each pair's frame; `frame` and `stage`, which are the pair; `action` and
        `symmetry` of its keyframe. Each (N, ...); `layout.LOW_DIM_FIELDS` has types and shapes.
    """
    frames, stages = np.array(pairs, np.int64).reshape(-1, 2).T
    targets = np.asarray(keyframes, np.int64)[stages]
    proprioception = ("gripper_pose", "gripper_open", "gripper_joint_positions", "joint_positions")
    return {
        **{name: demo.column(name)[frames] for name in proprioception},
        "stage": stages,
        "frame": frames,
        "action": np.stack([keyframe_action(demo, target) for target in targets]),
        "symmetry": demo.symmetry[targets],
    }
