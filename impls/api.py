"""What an implementation and the families need of this suite: `from impls.api import Prepared, Problem, Weights`."""

from impls.core.contract import (
    ADAM_RATE,
    BETAS,
    EPSILON,
    LEARNING_RATE,
    MAX_NORM,
    NoDevice,
    NotInstalled,
    Prepare,
    Prepared,
    Unsupported,
    result_names,
)
from impls.core.operators import Ran, added, longest
from impls.core.precision import IEEE, TF32, current
from impls.core.problem import Problem
from impls.core.weights import OUTPUT_SIZE, Array, Inputs, Weights, input_shapes, layers, shapes, swapped
from impls.core.workloads import MODELS, MODES, MODES_OF
