"""native_lstm.jax: each layer in C++ by jax.ffi, with a custom_vjp; the same C++ as torch_cpp's.

It is what `pip install ./impls/native` installs. It is compiled when it is first traced on a machine, which takes
seconds, and kept. There is no autocast and no int8: JAX has neither.
"""

from dataclasses import replace
from typing import Any

import jax

from impls.api import Prepared, Problem, Weights
from impls.families import compiled
from impls.families.jax import prepare_function
from impls.families.jax_model import LSTM
from impls.native import jax as native

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")
WORKLOADS = ("cell", "sequence", "model", "stream")
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout", "resets")
OPTIONAL = True


def lstm_of(problem: Problem) -> LSTM:
    """Return native_lstm.jax.lstm as impls/families/jax_model.py calls it."""
    second = "resets" if problem.resets else "lengths"

    def lstm(params: Any, x: Any, h0: Any, c0: Any, *extra: Any, drop: tuple[Any, ...] = ()) -> tuple[jax.Array, ...]:
        options: dict[str, Any] = {"batch_first": problem.batch_first}
        if extra:
            turned = problem.resets and problem.batch_first
            options[second] = extra[0].T if turned else extra[0]
        if drop:
            key, options["dropout"], call = drop
            options["key"] = jax.random.fold_in(key, call)
        output, (h_n, c_n) = native.lstm(params, x, (h0, c0), **options)
        return output, h_n, c_n

    return lstm


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    compiled_before = compiled.seconds_before(native.SOURCE, *native.options(problem.stored))
    prepared = prepare_function(problem, weights, device, workload, lstm_of(problem))
    return replace(prepared, compiled_before=compiled_before)
