"""torch.nn.LSTM in ONNX Runtime, by one of PyTorch's two exporters, for inference."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from impls.api import Problem
from impls.families.threads import threads
from impls.families.torch_programs import Maker, Program, Tensors, dynamic_axes, dynamic_shapes

INPUTS = ("x", "h0", "c0", "lengths")
OUTPUTS = ("output", "h_n", "c_n")


def maker(dynamo: bool) -> Maker:
    """Return the maker of a session of ONNX Runtime: with `dynamo` by torch.export, without by torch.jit.trace.

    In int8, ONNX Runtime quantizes the weights: its operator is then DynamicQuantizeLSTM.
    """

    def make(problem: Problem, module: nn.Module, example: Tensors) -> Program:
        names = list(INPUTS[: len(example)])
        options: dict[str, Any] = {}
        if dynamo:
            options["dynamic_shapes"] = dynamic_shapes(problem, example)
        else:
            options["dynamic_axes"] = dict(zip(names, dynamic_axes(problem, example), strict=True))
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "lstm.onnx")
            torch.onnx.export(
                module, example, path, input_names=names, output_names=list(OUTPUTS), dynamo=dynamo, **options
            )
            if problem.dtype == "int8":
                quantized = str(Path(folder) / "int8.onnx")
                quantize_dynamic(path, quantized, weight_type=QuantType.QInt8)
                path = quantized
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = threads()
            session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
        fed = [given.name for given in session.get_inputs()]

        def run(_: Any, inputs: Tensors) -> Tensors:
            arrays = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True) if name in fed}
            return tuple(map(torch.from_numpy, session.run(list(OUTPUTS), arrays)))

        return run

    return make
