"""What a robot perceives at one moment, under RLBench's field names."""

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from robomtl.data.exceptions import UnknownCameraError, UnknownFieldError, unknown

CAMERAS = ("left_shoulder", "right_shoulder", "wrist", "overhead", "front")
"""RLBench's cameras, which the tabletop has too."""

METAWORLD_CAMERAS = ("corner", "corner2", "corner3", "topview", "behind_gripper", "gripper_pov")
"""Meta-World's cameras; two of them have other spellings there."""

_ALL_CAMERAS = CAMERAS + METAWORLD_CAMERAS

LOW_DIM: dict[str, tuple[int | None, ...]] = {
    "joint_positions": (7,),
    "joint_velocities": (7,),
    "joint_forces": (7,),
    "gripper_open": (),
    "gripper_pose": (7,),
    "gripper_joint_positions": (2,),
    "gripper_touch_forces": (6,),
    "task_low_dim_state": (None,),
}
"""Shape of every low-dimensional field, all float64; None stands for any size.

Joints in [rad], [rad/s] and [N m]; `gripper_open` is 0 or 1; `gripper_pose` is x y z in [m] and a
quaternion x y z w; `gripper_joint_positions` in [m], 0.04 where open; touch forces in [N].
"""


@dataclass(frozen=True)
class Field:
    """Type and shape of one field of an observation.

    Attributes:
        dtype: Type of its numbers.
        shape: Its shape; None stands for any size.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape can be this field."""
        return len(shape) == len(self.shape) and all(
            want is None or want == have for want, have in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.dtype} ({sizes}{',' if len(self.shape) == 1 else ''})"


CAMERA_FIELDS: dict[str, Field] = {
    "rgb": Field(np.dtype(np.uint8), (None, None, 3)),
    "depth": Field(np.dtype(np.float32), (None, None)),
    "mask": Field(np.dtype(np.int32), (None, None)),
    "camera_intrinsics": Field(np.dtype(np.float64), (3, 3)),
    "camera_extrinsics": Field(np.dtype(np.float64), (4, 4)),
}
"""What each camera adds as `<camera>_<name>`. Images are (H, W, ...).

Depth in [m] along the optical axis; the mask holds body ids; extrinsics map camera to world.
"""


def field(name: str) -> Field:
    """The type and shape of a field.

    Args:
        name: `joint_positions`, `wrist_rgb`, ...

    Raises:
        UnknownFieldError: There is no such field; the message lists those that exist.
    """
    if name in LOW_DIM:
        return Field(np.dtype(np.float64), LOW_DIM[name])
    for camera in _ALL_CAMERAS:
        if name.startswith(f"{camera}_") and name[len(camera) + 1 :] in CAMERA_FIELDS:
            return CAMERA_FIELDS[name[len(camera) + 1 :]]
    cameras = (f"<camera>_{kind}" for kind in CAMERA_FIELDS)
    message = unknown("observation field", name, (*LOW_DIM, *cameras))
    raise UnknownFieldError(f"{message}, where <camera> is one of {', '.join(_ALL_CAMERAS)}")


def check_cameras(cameras: tuple[str, ...]) -> None:
    """Raises UnknownCameraError unless all are some simulator's cameras, each at most once."""
    for camera in cameras:
        if camera not in _ALL_CAMERAS:
            raise UnknownCameraError(unknown("camera", camera, _ALL_CAMERAS))
    if len(set(cameras)) < len(cameras):
        raise UnknownCameraError(f"cameras {', '.join(cameras)}: each can be there only once")


class Observation(dict[str, NDArray[Any]]):
    """A dict of arrays under RLBench's field names; `observation.gripper_pose` reads an entry.

    Every environment returns it, and `demo[i]` gives it. `LOW_DIM` and `CAMERA_FIELDS` list the
    fields; environments add `timestep`, the number of actions taken in the episode, as a scalar
    int64 array. Entries are set as in any dict, never as attributes.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> NDArray[Any]:
        try:
            return self[name]
        except KeyError:
            self._missing(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})

    def _missing(self, name: str) -> NoReturn:
        raise AttributeError(
            f"this observation has no {name!r}; it has: {', '.join(self) or '(nothing)'}"
        ) from None
