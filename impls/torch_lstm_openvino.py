"""torch.nn.LSTM in OpenVINO, converted by openvino.convert_model, for inference with float32 arithmetic."""

from typing import Any

import openvino
import torch
from torch import nn

from impls.api import Problem
from impls.families.threads import threads
from impls.families.torch_programs import Program, Tensors, of_maker

FRAMEWORK = "torch"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float16", "autocast")
WORKLOADS = ("sequence",)
VARIANTS = ("batch_first", "dropout")
FAILS = ("lengths", "proj_size", "int8")
# the same for all three, so that one environment serves them
REQUIRES = ("torch>=2.9", "onnx>=1.17", "onnxscript>=0.5", "onnxruntime>=1.20", "openvino>=2025.0")


def make(problem: Problem, module: nn.Module, example: Tensors) -> Program:
    """Return the converted model, compiled for the CPU."""
    model = openvino.convert_model(module, example_input=example)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads()),
    }
    compiled = openvino.compile_model(model, "CPU", settings)

    def run(_: Any, inputs: Tensors) -> Tensors:
        results = compiled([tensor.numpy() for tensor in inputs])
        return tuple(torch.from_numpy(value.copy()) for value in results.values())

    return run


prepare = of_maker(make, trains=False)
