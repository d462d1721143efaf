"""keras_jax through jax.export: written, read back, and called, for inference and for training."""

from impls import keras_jax
from impls.families.jax_programs import prepare_exported

FRAMEWORK = "keras"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")
WORKLOADS = ("sequence",)
VARIANTS = ("lengths", "batch_first")
REQUIRES = ("keras>=3.12", "jax>=0.8", "flatbuffers>=24")  # which jax.export writes with
ENVIRONMENT = {"KERAS_BACKEND": "jax"}

vars(keras_jax)["prepare_function"] = prepare_exported  # this process prepares no other
prepare = keras_jax.prepare
