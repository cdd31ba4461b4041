"""Making sense of what `low_dim_obs.pkl` holds: everything about an episode but its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robomtl.data.observation import CAMERAS, LOW_DIM
from robomtl.data.rlbench.stand_ins import SavedArray, SavedDemo, SavedObservation

_MATRICES = ("intrinsics", "extrinsics")
_CAMERA: dict[str, tuple[int, ...]] = {
    "near": (),
    "far": (),
    "intrinsics": (3, 3),
    "extrinsics": (4, 4),
}
_STATE = "task_low_dim_state"


@dataclass(frozen=True, eq=False)
class SavedEpisode:
    """An episode without its pictures.

    Attributes:
        length: Number of frames.
        columns: Observation fields by name, each (T, ...): joints, gripper, the cameras' matrices.
        planes: Camera to its near and far distance in [m], (T,) each.
        attempts: How many attempts the expert needed, 1 where nobody counted.
    """

    length: int
    columns: dict[str, NDArray[Any]]
    planes: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    attempts: int


def saved_episode(demo: Any) -> SavedEpisode:
    """What the object in a `low_dim_obs.pkl` says.

    Raises:
        ValueError: It is no demonstration of RLBench's, or has values that none has.
    """
    observations = getattr(demo, "_observations", None)
    if not isinstance(demo, SavedDemo) or not isinstance(observations, list):
        raise ValueError("it holds no demonstration of RLBench's")
    if not all(isinstance(observation, SavedObservation) for observation in observations):
        raise ValueError("its frames are not observations of RLBench's")
    frames = [dict(vars(observation)) for observation in observations]
    columns = {name: _column(frames, name, shape) for name, shape in LOW_DIM.items()}
    miscs = [frame.get("misc") or {} for frame in frames]
    if not all(isinstance(misc, dict) for misc in miscs):
        raise ValueError("misc is not a dict in every frame")
    planes = {}
    for camera in CAMERAS:
        known = {name: _misc(miscs, f"{camera}_camera_{name}", s) for name, s in _CAMERA.items()}
        near, far, *matrices = known.values()
        if near is None or far is None or any(matrix is None for matrix in matrices):
            if any(value is not None for value in known.values()):
                lacking = [name for name, value in known.items() if value is None]
                raise ValueError(f"misc of the {camera} camera lacks {', '.join(lacking)}")
            continue
        if not np.all((near >= 0) & (near < far) & np.isfinite(far)):
            raise ValueError(f"near and far of the {camera} camera do not follow each other")
        planes[camera] = (near, far)
        for name in _MATRICES:
            columns[f"{camera}_camera_{name}"] = known[name]
    present = {name: column for name, column in columns.items() if column is not None}
    _check(present)
    return SavedEpisode(len(frames), present, planes, _attempts(demo))


def _column(
    frames: Sequence[dict[str, Any]], name: str, shape: tuple[int | None, ...]
) -> NDArray[np.float64] | None:
    """One field of all frames; None where it was not recorded."""
    for i, frame in enumerate(frames):
        if name not in frame:
            raise ValueError(f"frame {i} has no {name}, which all of RLBench's have")
    return _stacked([frame[name] for frame in frames], name, shape)


def _misc(
    miscs: Sequence[dict[str, Any]], name: str, shape: tuple[int, ...]
) -> NDArray[np.float64] | None:
    return _stacked([misc.get(name) for misc in miscs], name, shape)


def _stacked(
    values: Sequence[Any], name: str, shape: tuple[int | None, ...]
) -> NDArray[np.float64] | None:
    known = [value is not None for value in values]
    if not any(known):
        return None
    if not all(known):
        if name == _STATE:
            return None
        raise ValueError(f"{name} comes and goes: frame {known.index(False)} has none")
    arrays = [_numbers(value, name, i) for i, value in enumerate(values)]
    if name == _STATE and len({array.shape for array in arrays}) > 1:
        return None  # RLBench allows it to change its size, a column cannot
    for i, array in enumerate(arrays):
        if len(array.shape) != len(shape) or any(
            want not in (None, have) for want, have in zip(shape, array.shape, strict=True)
        ):
            raise ValueError(f"{name} of frame {i} has shape {array.shape}, expected {shape}")
    return np.stack(arrays)


def _numbers(value: Any, name: str, frame: int) -> NDArray[np.float64]:
    array = value.array if isinstance(value, SavedArray) else value
    if not isinstance(array, np.ndarray | np.generic | float | int):
        raise ValueError(f"{name} of frame {frame} is a {type(array).__name__}, not numbers")
    return np.asarray(array, np.float64)


def _check(columns: dict[str, NDArray[Any]]) -> None:
    """Refuses what no robot and no camera can be like: a sign of damage, where nothing else is."""
    opened = columns.get("gripper_open")
    if opened is not None and not np.isin(opened, (0, 1)).all():
        raise ValueError("gripper_open is neither 0 nor 1 in some frame")
    for name, column in columns.items():
        if not np.isfinite(column).all():
            raise ValueError(f"{name} is not finite in some frame")
        if name == "gripper_pose" and not _near(np.linalg.norm(column[:, 3:], axis=1), 1):
            raise ValueError("gripper_pose has a quaternion that is no rotation")
        if name.endswith("_extrinsics"):
            if not _is_rotation(column[:, :3, :3]):
                raise ValueError(f"{name} has a rotation that is none")
            if not _near(column[:, 3], (0, 0, 0, 1)):
                raise ValueError(f"{name} does not end with the row 0 0 0 1")
        if name.endswith("_intrinsics") and not (
            _near(column[:, 2], (0, 0, 1)) and column[:, (0, 1), (0, 1)].all()
        ):
            raise ValueError(f"{name} is no projection")


def _near(values: NDArray[np.float64], wanted: Any) -> bool:
    return bool(np.allclose(values, wanted, atol=1e-3))


def _is_rotation(matrices: NDArray[np.float64]) -> bool:
    within = np.abs(matrices).max(initial=0) < 2  # else their products may be too large
    return within and _near(matrices @ matrices.swapaxes(1, 2), np.eye(3))


def _attempts(demo: SavedDemo) -> int:
    number = getattr(demo, "num_reset_attempts", None)
    return max(1, number) if isinstance(number, int) else 1
