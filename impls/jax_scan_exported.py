"""jax_scan through jax.export: written, read back, and called, for inference and for training."""

from impls.api import Prepared, Problem, Weights
from impls.families.jax import KERNELS, layered
from impls.families.jax_programs import prepare_exported
from impls.jax_scan import layer

FRAMEWORK = "jax"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
WORKLOADS = ("sequence",)
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout")
REQUIRES = ("jax>=0.6", "flatbuffers>=24")  # which jax.export writes with


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_exported(problem, weights, device, workload, layered(problem, layer), KERNELS)
