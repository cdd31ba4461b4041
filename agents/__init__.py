"""What learns: the keyframe policy and its behaviour cloning."""

from robomtl.agents.augmentation import AugmentationConfig
from robomtl.agents.batch import Batch, Inputs
from robomtl.agents.cloning import CloningObjective, LossConfig
from robomtl.agents.exceptions import (
    AgentError,
    BatchError,
    ImageSizeError,
    MissingInputError,
    PolicyFileError,
    UnknownTaskError,
    UnsuitableImagesError,
    UnsuitableSettingError,
)
from robomtl.agents.network import (
    KeyframeNetwork,
    NetworkConfig,
    Prediction,
    check_image_size,
)
from robomtl.agents.policy import KeyframePolicy
from robomtl.agents.sampling import KeyframeBatches, check_batch_size

__all__ = [
    "AgentError",
    "AugmentationConfig",
    "Batch",
    "BatchError",
    "CloningObjective",
    "ImageSizeError",
    "Inputs",
    "KeyframeBatches",
    "KeyframeNetwork",
    "KeyframePolicy",
    "LossConfig",
    "MissingInputError",
    "NetworkConfig",
    "PolicyFileError",
    "Prediction",
    "UnknownTaskError",
    "UnsuitableImagesError",
    "UnsuitableSettingError",
    "check_batch_size",
    "check_image_size",
]
