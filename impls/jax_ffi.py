"""The recurrence in C++ by jax.ffi, with a custom_vjp; the batched products are XLA's.

impls/families/native/lstm.h is the recurrence, the same as torch_cpp's. It is compiled when it is first traced on a
machine, which takes seconds, and kept.
"""

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from impls.api import Prepared, Problem, Weights
from impls.families import native
from impls.families.jax import layered, prepare_function
from impls.families.jax_recurrence import layer_of, weight_gradient
from impls.families.threads import threads

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
OPTIONAL = True
SOURCE = "jax_lstm.cpp", (jax.ffi.include_dir(),)
"""Its name, and the folders of headers that it needs."""


@functools.cache
def register() -> None:
    """Compile the recurrence where that has not been done, and make it known to XLA."""
    library = ctypes.CDLL(str(native.build(*SOURCE)))
    for dtype in DTYPES:
        for name in (f"lstm_forward_{dtype}", f"lstm_backward_{dtype}"):
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")


def call(name: str, shapes: list[tuple[int, ...]], *arrays: jax.Array) -> Sequence[jax.Array]:
    """Call a function of lstm.h; its results have these shapes."""
    register()
    dtype = arrays[0].dtype
    results = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    return jax.ffi.ffi_call(f"lstm_{name}_{dtype}", results)(*arrays, threads=np.int32(threads()))


@jax.custom_vjp
def recurrence(z: jax.Array, h0: jax.Array, c0: jax.Array, weight_hh: jax.Array) -> tuple[jax.Array, ...]:
    """Projected inputs z (T, B, 4H), h0 and c0 (B, H), weight_hh (4H, H) → output (T, B, H), h, c."""
    return recurrence_fwd(z, h0, c0, weight_hh)[0]  # type: ignore[no-any-return]


def recurrence_fwd(z: jax.Array, h0: jax.Array, c0: jax.Array, weight_hh: jax.Array) -> tuple[Any, Any]:
    """Return what `recurrence` returns, and the residuals."""
    states = len(z), *h0.shape
    gates, output, all_c = call("forward", [z.shape, states, states], z, h0, c0, weight_hh)
    return (output, output[-1], all_c[-1]), (gates, output, all_c, h0, c0, weight_hh)


def recurrence_bwd(residuals: Any, cotangents: Any) -> tuple[jax.Array, ...]:
    """Return d_z (T, B, 4H), d_h0 and d_c0 (B, H), and d_weight_hh (4H, H), the last by one product."""
    gates, output, all_c, h0, c0, weight_hh = residuals
    d_z, d_h0, d_c0 = call("backward", [gates.shape, h0.shape, c0.shape], *cotangents, gates, c0, all_c, weight_hh)
    return d_z, d_h0, d_c0, weight_gradient(d_z, h0, output)


recurrence.defvjp(recurrence_fwd, recurrence_bwd)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    native.compiler()
    prepared = prepare_function(problem, weights, device, workload, layered(problem, layer_of(recurrence)))
    return replace(prepared, compiled_before=lambda: native.seconds_before(*SOURCE))
