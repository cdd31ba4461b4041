"""What learns: the keyframe policy and its behaviour cloning."""

from robomtl.agents.augmentation import AugmentationConfig
from robomtl.agents.batch import Batch, Inputs
from robomtl.agents.cloning import CloningObjective, LossConfig
from robomtl.agents.exceptions import (
    AgentError,
    ImageSizeError,
    MissingInputError,
    PolicyFileError,
    UnknownTaskError,
)
from robomtl.agents.network import KeyframeNetwork, NetworkConfig, Prediction
from robomtl.agents.policy import KeyframePolicy
from robomtl.agents.sampling import KeyframeBatches

__all__ = [
    "AgentError",
    "AugmentationConfig",
    "Batch",
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
]
