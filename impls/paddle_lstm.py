"""paddle.nn.LSTM, with gradients by paddle.grad."""

from collections.abc import Iterable, Iterator
from typing import Any

import paddle
from paddle import profiler

from impls.api import Array, Prepared, Problem, Ran, Unsupported, Weights, added, longest
from impls.families.layout import CANONICAL
from impls.families.sequence import State, gradients, prepare_sequence

FRAMEWORK = "paddlepaddle"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
WORKLOADS = ("cell", "sequence")
VARIANTS = ("lengths",)
REQUIRES = ("paddlepaddle>=3.0",)
ENVIRONMENT = {"PYTHONWARNINGS": "ignore:No ccache found"}  # it is needed only to build extensions


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    paddle.set_device("cpu")
    paddle.set_default_dtype(problem.dtype)
    if not problem.bias:
        raise Unsupported("without a bias, Paddle 3.3's own kernel ends the process (SIGSEGV)")
    if problem.lengths and problem.bidirectional:
        raise Unsupported("with lengths, Paddle 3.3's gradients of the reverse direction are wrong")
    lstm = paddle.nn.LSTM(
        problem.input_size,
        problem.hidden_size,
        problem.num_layers,
        direction="bidirect" if problem.bidirectional else "forward",
        time_major=True,
    )
    own = dict(lstm.named_parameters())
    for name, value in weights.items():
        own[name].set_value(value.astype(problem.dtype))
    parameters = [own[name] for name in weights]

    def leaf(value: Array) -> Any:
        return paddle.to_tensor(value, stop_gradient=False)

    def run(state: State) -> list[Any]:
        x, h0, c0 = state.inputs
        output, (h_n, c_n) = lstm(x, (h0, c0), *state.lengths)
        return [output, h_n, c_n]

    def pull(state: State, outputs: list[Any], retain: bool) -> tuple[Any, ...]:
        leaves = [*parameters, *state.inputs]
        return gradients(state, paddle.grad(outputs, leaves, list(state.cotangents), retain_graph=retain))

    def forward(state: State) -> tuple[Any, ...]:
        if lstm.training:
            lstm.eval()
        with paddle.no_grad():
            return (run(state),)

    def forward_train(state: State) -> tuple[Any, ...]:
        if not lstm.training:
            lstm.train()
        state.kept = None  # its memory can be used again
        state.kept = run(state)
        return (state.kept,)

    def backward(state: State) -> tuple[Any, ...]:
        return (pull(state, state.kept, retain=True),)

    def train_step(state: State) -> tuple[Any, ...]:
        if not lstm.training:
            lstm.train()
        outputs = run(state)
        return outputs, pull(state, outputs, retain=False)

    modes = {"forward": forward, "forward_train": forward_train, "backward": backward, "train_step": train_step}

    def kernel(mode: str, state: State) -> str:
        with profiler.Profiler(targets=[profiler.ProfilerTarget.CPU], on_trace_ready=lambda _: None) as watched:
            modes[mode](state)
        roots = watched.profiler_result.get_data().values()
        return longest(added(operators(node for root in roots for node in root.children_node)))

    return prepare_sequence(problem, weights, CANONICAL, leaf, modes, kernel)


def operators(nodes: Iterable[Any]) -> Iterator[tuple[str, Ran]]:
    """Yield each operator that ran, with its own time, from the trees of Paddle's profiler."""
    for node in nodes:
        inner = node.children_node
        own = node.end_ns - node.start_ns - sum(child.end_ns - child.start_ns for child in inner)
        if not node.name.startswith("ProfileStep"):  # which holds all others
            yield node.name, Ran(1e-9 * own, 1)
        yield from operators(inner)
