"""keras.layers.LSTM on the TensorFlow backend, under tf.function, with gradients by tf.GradientTape.

Keras is batch-major. x and output are transposed inside the function, which is part of using Keras.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from impls.api import Prepared, Problem, Ran, Weights, added, longest
from impls.families.keras import LAYOUT, make_lstm
from impls.families.sequence import State, flat, gradients, prepare_sequence, unflat

FRAMEWORK = "keras"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")
WORKLOADS = ("cell", "sequence")
VARIANTS = ("lengths", "batch_first")
REQUIRES = ("keras>=3.12", "tensorflow-cpu>=2.19")
ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    lstm = make_lstm(problem)
    like = LAYOUT.encode(weights)
    parameters = len(flat(like))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(leaves: Any, lengths: Any) -> Any:
        return lstm(unflat(like, list(leaves[:parameters])), *leaves[parameters:], *lengths)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(leaves: Any, lengths: Any, cotangents: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(leaves)
            outputs = run(leaves, lengths)
        return outputs, tape.gradient(outputs, leaves, output_gradients=cotangents)

    def forward(state: State) -> tuple[Any, ...]:
        return (run(state.leaves, state.lengths),)

    def forward_train(state: State) -> tuple[Any, ...]:
        leaves, state.kept = state.leaves, None  # the memory of what was kept can be used again
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(leaves)
            outputs = run(leaves, state.lengths)
        state.kept = tape, outputs, leaves
        return (outputs,)

    def backward(state: State) -> tuple[Any, ...]:
        tape, outputs, leaves = state.kept
        return (gradients(state, tape.gradient(outputs, leaves, output_gradients=state.cotangents)),)

    def train_step(state: State) -> tuple[Any, ...]:
        outputs, grads = step(state.leaves, state.lengths, state.cotangents)
        return outputs, gradients(state, grads)

    modes = {"forward": forward, "forward_train": forward_train, "backward": backward, "train_step": train_step}

    def kernel(mode: str, state: State) -> str:
        with tempfile.TemporaryDirectory() as folder:
            with tf.profiler.experimental.Profile(folder):
                modes[mode](state)
            (path,) = Path(folder).rglob("*.xplane.pb")
            return longest(added(operators(path.read_bytes())))

    return prepare_sequence(problem, weights, LAYOUT, tf.constant, modes, kernel)


def operators(profile: bytes) -> Iterator[tuple[str, Ran]]:
    """Yield each operator that ran, from TensorFlow's profile: an event is such as `lstm/MatMul:_MklMatMul`."""
    for plane in xplane_pb2.XSpace.FromString(profile).planes:
        for event in (event for line in plane.lines if line.name.startswith("tf_") for event in line.events):
            operator, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if operator and not operator.endswith(":"):  # X::Y is a part of TensorFlow itself
                yield kind, Ran(1e-12 * event.duration_ps, 1)
