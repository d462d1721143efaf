"""A cell in tinygrad under TinyJit: the loop is unrolled, kernels are fused and compiled by clang.

Not tinygrad's own nn.LSTMCell: the input projection of all steps is one product, and each step's h and c are stored.
Otherwise tinygrad computes h anew for each element of the next product (docs/decisions/0002-tuned-track.md).
There is no mode for the backward alone: TinyJit replays whole graphs.
"""

import shutil
from typing import Any

from tinygrad import Device, GlobalCounters, Tensor, TinyJit

from impls.api import Array, NotInstalled, Prepared, Problem, Weights
from impls.families.layout import CANONICAL
from impls.families.sequence import State, gradients, prepare_sequence
from impls.families.stack import stack

FRAMEWORK = "tinygrad"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
WORKLOADS = ("cell", "sequence")
LIMITS = {
    "x-huge": "the gradient of its sigmoid is not a number there",
    "gates-shut": "its tanh loses digits near 0, which float64 shows",
}
REQUIRES = ("tinygrad>=0.10",)
ENVIRONMENT = {"CPU": "1", "DEV": "CPU"}
COMPILE_MINUTES = 1


def stacked(tensors: list[Tensor]) -> Tensor:
    """Stack tensors on a new first axis."""
    return tensors[0].stack(*tensors[1:])


def joined(tensors: list[Tensor]) -> Tensor:
    """Join tensors on their last of three axes."""
    return tensors[0].cat(*tensors[1:], dim=2)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    if shutil.which("clang") is None:
        raise NotInstalled("there is no clang, which compiles tinygrad's kernels: install clang")
    names = list(weights)

    def lstm(*leaves: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        params = dict(zip(names, leaves, strict=False))

        def layer(suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            z = x @ params[f"weight_ih_{suffix}"].T
            if problem.bias:
                z = z + params[f"bias_ih_{suffix}"] + params[f"bias_hh_{suffix}"]
            z = z.contiguous()
            hs = []
            for t in range(problem.seq_len):
                i, f, g, o = (z[t] + h @ params[f"weight_hh_{suffix}"].T).chunk(4, dim=1)
                c = (f.sigmoid() * c + i.sigmoid() * g.tanh()).contiguous()
                h = (o.sigmoid() * c.tanh()).contiguous()
                hs.append(h)
            return stacked(hs), h, c

        given = leaves[len(names) :]
        return stack(problem, layer, *given, turned=lambda x: x.flip(0), joined=joined, stacked=stacked)

    @TinyJit  # type: ignore[untyped-decorator]
    def run(*leaves: Tensor) -> tuple[Tensor, ...]:
        outputs = lstm(*leaves)
        Tensor.realize(*outputs)
        return outputs

    @TinyJit  # type: ignore[untyped-decorator]
    def step(*given: Tensor) -> tuple[Tensor, ...]:
        leaves, cotangents = given[:-3], given[-3:]
        outputs = lstm(*leaves)
        pulled = sum((output * d).sum() for output, d in zip(outputs, cotangents, strict=True))
        grads = pulled.gradient(*leaves)  # type: ignore[union-attr]
        Tensor.realize(*outputs, *grads)
        return *outputs, *grads

    def forward(state: State) -> tuple[Any, ...]:
        return (run(*state.leaves),)

    def train_step(state: State) -> tuple[Any, ...]:
        results = step(*state.leaves, *state.cotangents)
        return results[:3], gradients(state, list(results[3:]))

    def array(value: Array) -> Tensor:
        return Tensor(value).realize()

    modes = {"forward": forward, "train_step": train_step}

    def kernel(mode: str, state: State) -> str:
        before = GlobalCounters.kernel_count
        modes[mode](state)
        renderer = type(Device[Device.DEFAULT].renderer).__name__
        return f"kernels of {renderer} × {GlobalCounters.kernel_count - before}"

    return prepare_sequence(problem, weights, CANONICAL, array, modes, kernel)
