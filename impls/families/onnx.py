"""What every runtime of ONNX models shares: the ONNX model of a problem, built from ONNX's LSTM operator.

The gates i, f, g, o are reordered to ONNX's i, o, f, c, and B holds both biases. The weights are initializers, as in a
trained model that is deployed: they are constants of the model, and x, h0 and c0 are inputs of each call.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from impls.api import OUTPUT_SIZE, Array, Problem, Unsupported, Weights, input_shapes

OPSET = 17
IR_VERSION = 8
"""The version of 2022, which every runtime reads. By default a new onnx writes a version that older runtimes refuse."""

GATES = (0, 3, 1, 2)
"""The index in i, f, g, o of each of ONNX's gates i, o, f, c."""

MOST_BYTES = 2**31 - 2**20
"""The most bytes of weights in an ONNX file; the whole file must stay below 2 GB."""


def _parts(name: str, problem: Problem) -> list[str]:
    """Return the name of each layer's part of an array. With a single layer, the part is the array itself."""
    return [name] if problem.num_layers == 1 else [f"{name}_{layer}" for layer in range(problem.num_layers)]


def _reordered(array: Array) -> Array:
    gates = np.split(array, 4)
    return np.concatenate([gates[gate] for gate in GATES])


def _layer_weights(problem: Problem, weights: Weights, layer: int) -> dict[str, Array]:
    """Return W (D, 4H, I), R (D, 4H, H) and, with a bias, B (D, 8H) of one layer."""
    arrays = {}
    suffixes = [f"l{layer}{direction}" for direction in ("", "_reverse")[: problem.directions]]
    for name, kinds in (("W", ("weight_ih",)), ("R", ("weight_hh",)), ("B", ("bias_ih", "bias_hh"))):
        if name != "B" or problem.bias:
            rows = [[_reordered(weights[f"{kind}_{suffix}"]) for kind in kinds] for suffix in suffixes]
            arrays[f"{name}{layer}"] = np.stack([np.concatenate(row) for row in rows])
    return arrays


def _joined(problem: Problem, source: str, result: str) -> list[onnx.NodeProto]:
    """Y (T, D, B, H) → (T, B, D·H)."""
    if not problem.bidirectional:
        return [helper.make_node("Squeeze", [source, "axis_of_directions"], [result])]
    return [
        helper.make_node("Transpose", [source], [f"{source}_by_batch"], perm=(0, 2, 1, 3)),
        helper.make_node("Reshape", [f"{source}_by_batch", "joined"], [result]),
    ]


def _lstm(problem: Problem, layer: int, source: str, result: str, states: tuple[str, str]) -> onnx.NodeProto:
    """Return the operator of one layer. The names of Y (`result`) and of the initial states are empty where unused."""
    bias, lengths = f"B{layer}" if problem.bias else "", "lengths" if problem.lengths else ""
    return helper.make_node(
        "LSTM",
        [source, f"W{layer}", f"R{layer}", bias, lengths, *states],
        [result, _parts("h_n", problem)[layer], _parts("c_n", problem)[layer]],
        hidden_size=problem.hidden_size,
        direction="bidirectional" if problem.bidirectional else "forward",
    )


def _nodes(problem: Problem, workload: str) -> list[onnx.NodeProto]:
    """x, h0, c0 → output, h_n, c_n; for `model` x → prediction, by a linear layer on the last hidden state."""
    is_model = workload == "model"
    h0, c0 = _parts("h0", problem), _parts("c0", problem)
    nodes, source = [], "x"
    if problem.num_layers > 1 and not is_model:
        nodes += [helper.make_node("Split", [name, "rows"], _parts(name, problem), axis=0) for name in ("h0", "c0")]
    for layer in range(problem.num_layers):
        last = layer == problem.num_layers - 1
        states = ("", "") if is_model else (h0[layer], c0[layer])
        nodes.append(_lstm(problem, layer, source, "" if is_model and last else f"Y{layer}", states))
        source = "output" if last else f"output{layer}"
        nodes += [] if is_model and last else _joined(problem, f"Y{layer}", source)
    if is_model:
        return [
            *nodes,
            helper.make_node("Transpose", [_parts("h_n", problem)[-1]], ["last_h"], perm=(1, 0, 2)),
            helper.make_node("Flatten", ["last_h"], ["features"]),
            helper.make_node("Gemm", ["features", "fc.weight", "fc.bias"], ["prediction"], transB=1),
        ]
    if problem.num_layers > 1:
        nodes += [helper.make_node("Concat", _parts(name, problem), [name], axis=0) for name in ("h_n", "c_n")]
    return nodes


def make_model(problem: Problem, weights: Weights, workload: str) -> onnx.ModelProto:
    """Build a model with inputs x, h0, c0 and outputs output, h_n, c_n; for `model` with input x and output prediction.

    Where the problem has lengths, they are one more input, in int32.

    Raises:
        Unsupported: where the weights are too large for an ONNX file.
    """
    constants = {name: np.asarray(value, problem.dtype) for name, value in weights.items() if name.startswith("fc.")}
    for layer in range(problem.num_layers):
        made = _layer_weights(problem, weights, layer)
        constants |= {name: value.astype(problem.dtype) for name, value in made.items()}
    if sum(value.nbytes for value in constants.values()) > MOST_BYTES:
        raise Unsupported("its weights do not fit into one ONNX file of 2 GB")
    constants["rows"] = np.full(problem.num_layers, problem.directions)
    constants["axis_of_directions"], constants["joined"] = np.array([1]), np.array([0, 0, -1])

    shapes = input_shapes(problem)
    wide = problem.directions * problem.hidden_size
    if workload == "model":
        inputs = {"x": shapes["x"]}
        outputs: dict[str, tuple[int, ...]] = {"prediction": (problem.batch, OUTPUT_SIZE)}
    else:
        inputs = {name: shapes[name] for name in ("x", "h0", "c0")}
        outputs = {"output": (problem.seq_len, problem.batch, wide), "h_n": shapes["h0"], "c_n": shapes["c0"]}

    nodes = _nodes(problem, workload)
    used = {name for node in nodes for name in node.input}
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(problem.dtype))
    fed = [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()]
    if problem.lengths:
        fed.append(helper.make_tensor_value_info("lengths", onnx.TensorProto.INT32, (problem.batch,)))
    graph = helper.make_graph(
        nodes,
        "lstm",
        fed,
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model
