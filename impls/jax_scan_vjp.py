"""lax.scan with a custom_vjp: the backward scan does only what is sequential, weight gradients are batched."""

from impls.families.jax import of_layer
from impls.families.jax_recurrence import layer

FRAMEWORK = "jax"
TRACK = "tuned"
WORKLOADS = ("cell", "sequence", "model", "train")
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
VARIANTS = ("batch_first", "dropout")

prepare = of_layer(layer)
