"""ONNX's LSTM operator in ONNX Runtime, as a trained model is deployed: inference only, by session.run.

The weights are constants of the model, in ONNX's gate order i, o, f, c; x, h0 and c0 are inputs of each call. The
options are ONNX Runtime's defaults, except the number of threads: as many as this process may use.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from impls.api import Array, Inputs, Prepared, Problem, Ran, Weights, added, longest
from impls.families.onnx import make_model
from impls.families.threads import threads

FRAMEWORK = "onnxruntime"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32",)  # its LSTM has no kernel for float64
VARIANTS = ("lengths",)
REQUIRES = ("onnxruntime>=1.20", "onnx>=1.17")


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    options = made_options()
    model = make_model(problem, weights, workload).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    fed = [given.name for given in session.get_inputs()]
    named = [made.name for made in session.get_outputs()]

    def load(inputs: Inputs) -> dict[str, Array]:
        return {name: np.array(getattr(inputs, name), "int32" if name == "lengths" else problem.dtype) for name in fed}

    def forward(state: dict[str, Array]) -> list[Array]:
        return session.run(None, state)  # type: ignore[no-any-return]

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        return {name: np.array(value, np.float64) for name, value in zip(named, result, strict=True)}

    def kernel(mode: str, state: dict[str, Array]) -> str:
        profiled = made_options()
        profiled.enable_profiling = True
        with tempfile.TemporaryDirectory() as folder:
            profiled.profile_file_prefix = f"{folder}/"
            watched = onnxruntime.InferenceSession(model, profiled, providers=["CPUExecutionProvider"])
            watched.run(None, state)
            events = json.loads(Path(watched.end_profiling()).read_text(encoding="utf-8"))
        nodes = [event for event in events if event["cat"] == "Node" and event["name"].endswith("_kernel_time")]
        return longest(added((node["args"]["op_name"], Ran(1e-6 * node["dur"], 1)) for node in nodes))

    return Prepared(load=load, to_numpy=to_numpy, forward=forward, kernel=kernel)


def made_options() -> onnxruntime.SessionOptions:
    """Return ONNX Runtime's defaults, with as many threads as this process may use."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    return options
