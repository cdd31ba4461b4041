"""Multi-task optimisation: K task losses in, one gradient out.

A method sees a problem only as an `Objective`. `method.backward(objective, batch)` fills `.grad`
and returns a `Record` of what it did. `make` builds methods by name, `names` lists them.
"""

from robomtl.methods.aggregators import aggregate
from robomtl.methods.combination import Combination
from robomtl.methods.composition import learns_weights, make, names
from robomtl.methods.exceptions import (
    CombinationError,
    MethodError,
    MissingArgumentError,
    NonFiniteGradientError,
    NonFiniteLossError,
    OverlappingParametersError,
    UnknownMethodError,
    UnknownTaskError,
    UnsuitableObjectiveError,
)
from robomtl.methods.objective import (
    Objective,
    RunningStatistics,
    SharedRepresentation,
    StackedObjective,
    parameters,
)
from robomtl.methods.record import Record
from robomtl.methods.whole import Method

__all__ = [
    "Combination",
    "CombinationError",
    "Method",
    "MethodError",
    "MissingArgumentError",
    "NonFiniteGradientError",
    "NonFiniteLossError",
    "Objective",
    "OverlappingParametersError",
    "Record",
    "RunningStatistics",
    "SharedRepresentation",
    "StackedObjective",
    "UnknownMethodError",
    "UnknownTaskError",
    "UnsuitableObjectiveError",
    "aggregate",
    "learns_weights",
    "make",
    "names",
    "parameters",
]
