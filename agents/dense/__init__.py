"""Dense prediction: one image, and a map of every pixel's class, depth, normal and noise."""

from robomtl.agents.dense.batch import DenseBatch
from robomtl.agents.dense.evaluation import evaluate_dense
from robomtl.agents.dense.exceptions import (
    ArchitectureError,
    BatchSizeError,
    UnknownDenseTaskError,
)
from robomtl.agents.dense.heads import TASKS, Head, self_auxiliaries
from robomtl.agents.dense.metrics import METRICS, DenseMetrics, delta_mtl, relative_improvement
from robomtl.agents.dense.network import DenseNetwork, DenseNetworkConfig
from robomtl.agents.dense.objective import HalfSharedObjective, SharedBottomObjective, objective_of
from robomtl.agents.dense.sampling import SceneBatches, dense_batch

__all__ = [
    "METRICS",
    "TASKS",
    "ArchitectureError",
    "BatchSizeError",
    "DenseBatch",
    "DenseMetrics",
    "DenseNetwork",
    "DenseNetworkConfig",
    "HalfSharedObjective",
    "Head",
    "SceneBatches",
    "SharedBottomObjective",
    "UnknownDenseTaskError",
    "delta_mtl",
    "dense_batch",
    "evaluate_dense",
    "objective_of",
    "relative_improvement",
    "self_auxiliaries",
]
