"""What is recorded and learned from: observations, demonstrations, keyframes, datasets."""

from robomtl.data.dataset import KeyframeDataset
from robomtl.data.demo import Demo, DemoKey
from robomtl.data.exceptions import (
    CorruptDatasetError,
    CorruptDemoError,
    CorruptImageError,
    DataError,
    DatasetInUseError,
    DatasetMismatchError,
    DiskFullError,
    IncompleteDatasetWarning,
    InvalidDemoError,
    InvalidKeyframesError,
    InvalidSamplesError,
    MissingDemoError,
    OtherFilesError,
    UnknownCameraError,
    UnknownFieldError,
    UnknownKeyframeMethodError,
    UnknownTaskError,
    UnsafePickleError,
    UnsupportedFormatError,
)
from robomtl.data.frames import Frames
from robomtl.data.keyframe_writer import KeyframeWriter
from robomtl.data.keyframes import augment, find_keyframes
from robomtl.data.observation import CAMERAS, METAWORLD_CAMERAS, Observation
from robomtl.data.open_demos import open_demos
from robomtl.data.point_cloud import point_cloud
from robomtl.data.rlbench import RLBenchFolder, read_rlbench_demo, write_rlbench_demo
from robomtl.data.samples import keyframe_action, keyframe_samples, low_dim_samples
from robomtl.data.store import DemoStore

__all__ = [
    "CAMERAS",
    "METAWORLD_CAMERAS",
    "CorruptDatasetError",
    "CorruptDemoError",
    "CorruptImageError",
    "DataError",
    "DatasetInUseError",
    "DatasetMismatchError",
    "Demo",
    "DemoKey",
    "DemoStore",
    "DiskFullError",
    "Frames",
    "IncompleteDatasetWarning",
    "InvalidDemoError",
    "InvalidKeyframesError",
    "InvalidSamplesError",
    "KeyframeDataset",
    "KeyframeWriter",
    "MissingDemoError",
    "Observation",
    "OtherFilesError",
    "RLBenchFolder",
    "UnknownCameraError",
    "UnknownFieldError",
    "UnknownKeyframeMethodError",
    "UnknownTaskError",
    "UnsafePickleError",
    "UnsupportedFormatError",
    "augment",
    "find_keyframes",
    "keyframe_action",
    "keyframe_samples",
    "low_dim_samples",
    "open_demos",
    "point_cloud",
    "read_rlbench_demo",
    "write_rlbench_demo",
]
