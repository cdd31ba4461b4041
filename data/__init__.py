"""What is recorded and learned from: observations, demonstrations, keyframes, datasets."""

from robomtl.data.dataset import KeyframeDataset
from robomtl.data.demo import Demo, DemoKey
from robomtl.data.exceptions import (
    CorruptDatasetError,
    CorruptDemoError,
    DataError,
    DatasetInUseError,
    DatasetMismatchError,
    DiskFullError,
    IncompleteDatasetWarning,
    InvalidDemoError,
    InvalidKeyframesError,
    InvalidSamplesError,
    MissingDemoError,
    UnknownCameraError,
    UnknownFieldError,
    UnknownKeyframeMethodError,
    UnknownTaskError,
    UnsupportedFormatError,
)
from robomtl.data.keyframe_writer import KeyframeWriter
from robomtl.data.keyframes import augment, find_keyframes
from robomtl.data.observation import CAMERAS, Observation
from robomtl.data.point_cloud import point_cloud
from robomtl.data.samples import keyframe_action, keyframe_samples, low_dim_samples
from robomtl.data.store import DemoStore

__all__ = [
    "CAMERAS",
    "CorruptDatasetError",
    "CorruptDemoError",
    "DataError",
    "DatasetInUseError",
    "DatasetMismatchError",
    "Demo",
    "DemoKey",
    "DemoStore",
    "DiskFullError",
    "IncompleteDatasetWarning",
    "InvalidDemoError",
    "InvalidKeyframesError",
    "InvalidSamplesError",
    "KeyframeDataset",
    "KeyframeWriter",
    "MissingDemoError",
    "Observation",
    "UnknownCameraError",
    "UnknownFieldError",
    "UnknownKeyframeMethodError",
    "UnknownTaskError",
    "UnsupportedFormatError",
    "augment",
    "find_keyframes",
    "keyframe_action",
    "keyframe_samples",
    "low_dim_samples",
    "point_cloud",
]
