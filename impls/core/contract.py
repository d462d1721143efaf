"""The contract of an implementation.

An implementation is a Python file. It has constants, which are read without running the file, and one function:

    FRAMEWORK = "keras"                               # the distribution whose version is shown
    TRACK = "default"                                 # default or tuned
    DEVICES = ("cpu", "cuda")                         # optional; both where absent
    DTYPES = ("float32", "float64", "bfloat16")       # optional; float32 and float64 where absent; float16 too
    WORKLOADS = ("cell", "sequence")                  # optional; cell, sequence and model where absent
    VARIANTS = ("lengths", "proj_size")               # optional: what else it can do: see VARIANTS in problem.py
    FAILS = ("dropout", "bfloat16")                   # optional, not in the digest: what its library gets wrong or
                                                      # raises at in some release: only `agree --options` tries it
    LIMITS = {"x-huge": "why"}                        # optional: extremes of `agree` that it gets wrong
    OPTIONAL = True                                   # optional: it runs only where it is named, or with all
    REQUIRES = ("keras>=3.12", "jax>=0.8")            # optional: an environment with these and what a worker needs
    ENVIRONMENT = {"KERAS_BACKEND": "jax"}            # optional: variables that are set before Python starts
    COMPILE_MINUTES = 10                              # optional: how long it compiles in `agree`; not in the digest

    def prepare(problem, weights, device, workload) -> Prepared: ...

`prepare` raises Unsupported, with the reason, for a problem that the implementation cannot do, NotInstalled where
something is missing that is no Python package, and NoDevice where its framework does not see the device.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from impls.core.weights import Array, Inputs
from impls.core.workloads import WORKLOADS

CONTRACT = 2
"""Counted up when older implementations and families no longer work with a newer impls/core and benchmarks/."""

TRACKS = ("default", "tuned", "exported", "peak", "reference")
DEVICES = ("cpu", "cuda")
LEARNING_RATE = 0.01
"""The learning rate of the `model` workload's plain SGD."""
ADAM_RATE = 1e-3
BETAS = (0.9, 0.999)
EPSILON = 1e-8
"""Of the `train` workload's Adam: what torch.optim.Adam and optax.adam have by default."""
MAX_NORM = 1.0
"""The `train` workload's gradients, all together, are scaled down to this norm where theirs is larger."""


class Unsupported(Exception):
    """An implementation cannot do this problem, workload or device; the message says why."""


class NotInstalled(Exception):
    """Something that an implementation needs is not on this machine, such as a compiler; the message says what."""


class NoDevice(Exception):
    """The device is not there, or the framework does not see it; the message says what the framework says."""


@dataclass(frozen=True)
class Prepared:
    """An implementation that is ready for one problem, workload and device.

    `load(inputs)` gives an opaque state that holds the inputs (and, for MODELS, a copy of the
    parameters) in the framework's own arrays. Each mode takes such a state, blocks until its result is
    there, and returns the framework's own result. A mode that is not supported is None.

    forward         output, h_n, c_n; for `model` the prediction. Keeps nothing.
    forward_train   the same, and for `model` the loss too; keeps in the state what backward needs.
    backward        the gradients, from what the last forward_train left in this state. May be called again.
    train_step      outputs and gradients in one call; for `model` the loss, and the SGD update of the state.

    The workload `train` has `train_step` alone: as `model`, but Adam in place of SGD, with gradients whose global norm
    is clipped to MAX_NORM; the targets of its steps are inputs.targets("train") in turn.

    `submit(mode)`, where there is one, is the mode without its wait: it takes a state, and returns as soon as the work
    is submitted to the device. On a GPU the suite times many of these with a single wait, beside the mode itself.

    `kernel(mode, state)`, where there is one, is never timed: it calls the mode under the framework's own profiler or
    log, and says which kernel ran, such as `LSTM × 1`. For PyTorch and JAX the suite does that itself. A framework that
    has neither may look at its graph.

    `compiled_before()`, where there is one, returns for how many seconds an earlier process has compiled what this one
    uses, or loading has; 0 when it is called again. They are added to the first call that the tables show.

    The workload `stream` has `forward` alone. Each call takes the next step of x, after the last one the first again,
    and goes on from the h and c that the call before left in the state; the first from h0 and c0. T is then 1.

    `to_numpy(mode, result)` is never timed. It gives canonical arrays: output (T, B, D·H), h_n and c_n
    (L·D, B, H), grad_NAME for every weight, x, h0 and c0; for `model` prediction (B, O), loss (),
    grad_NAME of every parameter, and after train_step param_NAME, which is why it may read the state.
    It may be called twice with a result, and converts it anew each time: a first reading that takes longer
    looks like work that was left.
    """

    load: Callable[[Inputs], Any]
    to_numpy: Callable[[str, Any], dict[str, Array]]
    forward: Callable[[Any], Any] | None = None
    forward_train: Callable[[Any], Any] | None = None
    backward: Callable[[Any], Any] | None = None
    train_step: Callable[[Any], Any] | None = None
    kernel: Callable[..., Any] | None = None
    submit: Callable[..., Any] | None = None
    compiled_before: Callable[..., Any] | None = None

    def call(self, mode: str) -> Callable[[Any], Any]:
        """Return the callable of a mode.

        Raises:
            Unsupported: where the implementation has no such mode.
        """
        callable_of_mode: Callable[[Any], Any] | None = getattr(self, mode)
        if callable_of_mode is None:
            raise Unsupported(f"no {mode}")
        return callable_of_mode

    def make_ready(self, mode: str, state: Any) -> None:
        """Do what a mode needs before it can be called: backward needs what a forward_train keeps in the state."""
        if mode == "backward":
            self.call("forward_train")(state)

    def start(self, mode: str, inputs: Inputs) -> Any:
        """Load inputs into a new state in which the mode can be called."""
        state = self.load(inputs)
        self.make_ready(mode, state)
        return state


Prepare = Callable[..., Prepared]
"""(problem, weights, device, workload) → Prepared."""


def result_names(workload: str, mode: str, weights: Iterable[str]) -> list[str]:
    """Return the canonical names of a mode's results, for parameters of these names."""
    if WORKLOADS[workload].is_model:
        return {
            "forward": ["prediction"],
            "forward_train": ["loss", "prediction"],
            "backward": [f"grad_{name}" for name in weights],
            "train_step": ["loss", *(f"param_{name}" for name in weights)],
        }[mode]
    outputs = ["output", "h_n", "c_n"]
    gradients = [f"grad_{name}" for name in (*weights, "x", "h0", "c0")]
    return {
        "forward": outputs,
        "forward_train": outputs,
        "backward": gradients,
        "train_step": outputs + gradients,
    }[mode]
