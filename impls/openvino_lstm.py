"""ONNX's LSTM operator in OpenVINO, as a trained model is deployed: inference only, from the graph of onnxruntime_lstm.

The options are OpenVINO's for latency, with float32 arithmetic: by default it takes bfloat16 where the processor has
it.
"""

from typing import Any

import numpy as np
import openvino

from impls.api import Array, Inputs, Prepared, Problem, Ran, Weights, added, longest
from impls.families.onnx import make_model
from impls.families.threads import threads

FRAMEWORK = "openvino"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32",)  # the plugin for CPUs computes in float32 at most
VARIANTS = ("lengths",)
REQUIRES = ("openvino>=2025.0", "onnx>=1.17")


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    model = openvino.Core().read_model(make_model(problem, weights, workload).SerializeToString())
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads()),
    }
    compiled = openvino.compile_model(model, "CPU", options)
    fed = [given.any_name for given in compiled.inputs]
    named = [made.any_name for made in compiled.outputs]

    def load(inputs: Inputs) -> dict[str, Array]:
        return {name: np.array(getattr(inputs, name), "int32" if name == "lengths" else problem.dtype) for name in fed}

    def forward(state: dict[str, Array]) -> list[Array]:
        return list(compiled(state).values())

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        return {name: np.array(value, np.float64) for name, value in zip(named, result, strict=True)}

    def kernel(mode: str, state: dict[str, Array]) -> str:
        request = openvino.compile_model(model, "CPU", {**options, "PERF_COUNT": "YES"}).create_infer_request()
        request.infer(state)
        nodes = [(f"{node.node_type} {node.exec_type}", node.real_time) for node in request.profiling_info]
        return longest(added((name, Ran(time.total_seconds(), 1)) for name, time in nodes))

    return Prepared(load=load, to_numpy=to_numpy, forward=forward, kernel=kernel)
