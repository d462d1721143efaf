"""The custom cell with the input projection of all time steps hoisted out of the loop, into one product."""

from impls.families.torch import HoistedLSTM, of_module

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
OPTIONAL = True

prepare = of_module(HoistedLSTM)
