"""torch.nn.LSTM: cuDNN on a GPU; on the CPU oneDNN where it supports the problem, otherwise ATen's own loop."""

from impls.families.torch import FlatLSTM, of_module

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast", "int8")
WORKLOADS = ("cell", "sequence", "model", "train", "stream")
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout", "resets")

prepare = of_module(FlatLSTM)
