"""flax_nnx through jax.export: written, read back, and called, for inference and for training."""

from impls import flax_nnx
from impls.families.jax_programs import prepare_exported

FRAMEWORK = "flax"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
WORKLOADS = ("sequence",)
VARIANTS = ("lengths", "batch_first", "dropout")
REQUIRES = ("flax>=0.10", "jax>=0.6", "flatbuffers>=24")  # which jax.export writes with

vars(flax_nnx)["prepare_function"] = prepare_exported  # this process prepares no other
prepare = flax_nnx.prepare
