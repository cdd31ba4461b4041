"""What a keyframe dataset looks like on disk: Diffusion Policy's replay buffer, in zarr.

```
<path>/            attributes: kind, format, tasks, cameras, image_size, recipe, complete
    data/<field>   (N, ...), one row per sample; `fields` lists them
    meta/episode_ends                (E,) row after the last one of each episode
    meta/episode_task|variation|seed (E,) which demonstration it is; tasks by index
```

While a dataset is being written, arrays are longer than what they hold: `episode_ends` is -1 for
episodes that are not there yet, and the last end that is not tells how many rows count.
"""

from collections.abc import Iterable

import numpy as np

from robomtl.data.observation import CAMERA_FIELDS, Field

KIND = "robomtl keyframe dataset"
FORMAT = 1
"""Version of this layout; readers and writers refuse others."""

_FLOAT, _INTEGER = np.dtype(np.float64), np.dtype(np.int64)

LOW_DIM_FIELDS: dict[str, Field] = {
    "gripper_pose": Field(_FLOAT, (7,)),
    "gripper_open": Field(_FLOAT, ()),
    "gripper_joint_positions": Field(_FLOAT, (2,)),
    "joint_positions": Field(_FLOAT, (7,)),
    "task": Field(_INTEGER, ()),
    "stage": Field(_INTEGER, ()),
    "frame": Field(_INTEGER, ()),
    "action": Field(_FLOAT, (8,)),
    "symmetry": Field(_INTEGER, ()),
}
"""Fields of every sample besides those of its cameras.

`task` indexes the dataset's tasks, `stage` is the index of the next keyframe in its demonstration,
`frame` the number of the frame that is seen. `action` is the next keyframe's gripper pose (w >= 0)
and gripper state, `symmetry` the order of that keyframe's rotational symmetry.
"""

KEY_FIELDS = ("task", "variation", "seed")
"""Which demonstration an episode is: `meta/episode_<name>`, int64."""

EPISODE_FIELD = Field(_INTEGER, ())
"""Type of all arrays in `meta`."""

NO_END = -1
"""End of an episode that is not there yet."""


def camera_fields(cameras: Iterable[str], image_size: int) -> dict[str, Field]:
    """Fields that the cameras add to a sample, `<camera>_<kind>`; masks are not kept."""
    return {
        f"{camera}_{kind}": Field(
            field.dtype, tuple(image_size if size is None else size for size in field.shape)
        )
        for camera in cameras
        for kind, field in CAMERA_FIELDS.items()
        if kind != "mask"
    }


def fields(cameras: Iterable[str], image_size: int) -> dict[str, Field]:
    """All fields of a sample."""
    return {**camera_fields(cameras, image_size), **LOW_DIM_FIELDS}
