"""Each direction of each layer in C++ by jax.ffi, with a custom_vjp.

impls/families/native/lstm.h does it all, the same as torch_cpp's. It is compiled when it is first traced on a machine,
which takes seconds, and kept.
"""

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from impls.api import Prepared, Problem, Weights
from impls.families import native
from impls.families.jax import both_biases, layered, prepare_function
from impls.families.threads import threads

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
WORKLOADS = ("cell", "sequence", "model", "stream")
VARIANTS = ("batch_first", "dropout")
OPTIONAL = True
SOURCE = "jax_lstm.cpp", (jax.ffi.include_dir(),)
"""Its name, and the folders of headers that it needs."""


@functools.cache
def register() -> None:
    """Compile the LSTM where that has not been done, and make it known to XLA."""
    library = ctypes.CDLL(str(native.build(*SOURCE)))
    for name in ("lstm_forward", "lstm_backward"):
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")


def call(name: str, shapes: list[tuple[int, ...]], x: jax.Array, hidden: int, *arrays: Any) -> Sequence[jax.Array]:
    """Call a function of lstm.h on arrays, in the order of its struct; None and the shape (0,) are those left out."""
    register()
    results = [jax.ShapeDtypeStruct(shape, x.dtype) for shape in shapes]
    given = [jnp.zeros(0, x.dtype) if array is None else array for array in arrays]
    sizes = np.array([*x.shape, hidden])
    return jax.ffi.ffi_call(f"lstm_{name}", results)(*given, threads=np.int32(threads()), sizes=sizes)


def run(keep: bool, *given: Any) -> Sequence[jax.Array]:
    """Return output (T, B, H), h_n, c_n, and the gates (T, B, 4H) and all c (T, B, H), which may be left out."""
    x, (batch, hidden) = given[0], given[1].shape
    kept = [(len(x), batch, 4 * hidden), (len(x), batch, hidden)] if keep else [(0,), (0,)]
    return call("forward", [(len(x), batch, hidden), *[(batch, hidden)] * 2, *kept], x, hidden, *given)


@jax.custom_vjp
def direction(*given: Any) -> tuple[jax.Array, ...]:
    """x (T, B, I), h0 and c0 (B, H), weight_ih (4H, I), weight_hh (4H, H), bias (4H) or None → output, h_n, c_n."""
    return tuple(run(False, *given)[:3])


def direction_fwd(*given: Any) -> tuple[Any, Any]:
    """Return what `direction` returns, and the residuals; the first is None where x needs no gradient."""
    values = [None if each is None else each.value for each in given]
    *made, gates, all_c = run(True, *values)
    return tuple(made), (values[0] if given[0].perturbed else None, values, made[0], gates, all_c)


def direction_bwd(residuals: Any, cotangents: Any) -> tuple[Any, ...]:
    """Return the gradients of everything that `direction` takes."""
    wanted, (*values, bias), *kept = residuals
    shapes = [(0,) if each is None else each.shape for each in (wanted, *values[1:], bias)]
    given = [None if isinstance(each, SymbolicZero) else each for each in cotangents]
    made = call("backward", shapes, values[0], shapes[1][-1], *given, *values, *kept)
    d_x = jnp.zeros_like(values[0]) if wanted is None else made[0]
    return d_x, *made[1:5], None if bias is None else made[5]


direction.defvjp(direction_fwd, direction_bwd, symbolic_zeros=True)


def layer(params: dict[str, jax.Array], suffix: str, x: jax.Array, h: jax.Array, c: jax.Array) -> tuple[jax.Array, ...]:
    """Do one direction of one layer: x (T, B, ·), h and c (B, H) → output (T, B, H), h, c."""
    weights = params[f"weight_ih_{suffix}"], params[f"weight_hh_{suffix}"]
    bias = both_biases(params, suffix) if f"bias_ih_{suffix}" in params else None
    return direction(x, h, c, *weights, bias)  # type: ignore[no-any-return]


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    native.compiler()
    prepared = prepare_function(problem, weights, device, workload, layered(problem, layer))
    return replace(prepared, compiled_before=lambda: native.seconds_before(*SOURCE))
