"""Where matrix products are done, by the framework's own profiler: in loading, in a call, or in a reading.

An LSTM is matrix products. They belong into a call, into every call, and nowhere else. That holds on a busy machine
too, where times say little. PyTorch's profiler also counts the operations of its products, and sees all threads. JAX's
tells names alone. What NumPy and compiled code do is not seen.
"""

import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.judge.sanity import Suspicious
from benchmarks.worker.profiles import ran
from impls.core.contract import Prepared
from impls.core.weights import Inputs

COUNTED = re.compile(r"aten::(mm|addmm|bmm|baddbmm)")
"""Products whose operations PyTorch's profiler counts."""
OTHERS = re.compile(
    r"aten::(addmm_|baddbmm_|mv|addmv_?|dot|ger|conv\w*|lstm\w*|\w*rnn\w*|_thnn_fused_\w+|quantized_\w+)"
    r"|(dot|ynn_fusion|onednn)[.\w-]*"
)
"""Products, and what makes them inside, of PyTorch and of XLA: how many operations is not told."""
OWN = re.compile(r"(?!aten::|autograd::|torch::)\w+::\w+|torch\.compile's code|CompiledFunction\w*")
"""Operators of somebody's own, in which products may be that nobody tells of."""
LESS = 0.95
"""A call that makes less than this share of the products has left some out."""
RANGE = "lstm-bench: "


@dataclass
class Seen:
    """What a profiler saw in a part: the names of its operators, and the operations of the products that it counts."""

    names: set[str]
    operations: float = 0.0

    @property
    def products(self) -> list[str]:
        """The names of its products."""
        return sorted(
            name for name in self.names if COUNTED.fullmatch(name) or OTHERS.fullmatch(name)
        )

    @property
    def all_counted(self) -> bool:
        """Whether the operations of all its products are known."""
        return not any(OTHERS.fullmatch(name) or OWN.fullmatch(name) for name in self.names)


def look(prepared: Prepared, mode: str, inputs: Inputs) -> dict[str, Seen]:
    """Return what was seen in each part that could be watched: load, ready, first, again (one more call), reading."""
    parts: dict[str, Seen] = {}
    watches = {"torch": _by_torch, "jax": _by_jax}
    for framework in watches.keys() & sys.modules.keys():
        with suppress(Exception):  # a profiler that fails is no fault of the implementation
            for part, seen in watches[framework](prepared, mode, inputs).items():
                whole = parts.setdefault(part, Seen(set()))
                whole.names |= seen.names
                whole.operations += seen.operations
    return parts


def _by_jax(prepared: Prepared, mode: str, inputs: Inputs) -> dict[str, Seen]:
    import jax

    def watched(call: Callable[[], Any]) -> Seen:
        def waited(_: None) -> None:
            result = call()
            # what was submitted would run when nobody watches any more
            jax.block_until_ready(jax.live_arrays())
            del result

        return Seen(set(ran(waited, None, 1)))

    result = prepared.call(mode)(prepared.start(mode, inputs))
    return {
        "load": watched(lambda: prepared.load(inputs)),
        "reading": watched(lambda: prepared.to_numpy(mode, result)),
    }


def _by_torch(prepared: Prepared, mode: str, inputs: Inputs) -> dict[str, Seen]:
    from torch.profiler import ProfilerActivity, profile, record_function

    activities = [ProfilerActivity.CPU]
    every_thread = _all_threads()
    with profile(
        activities=activities, with_flops=True, experimental_config=every_thread
    ) as profiled:
        with record_function(f"{RANGE}load"):
            state = prepared.load(inputs)
        with record_function(f"{RANGE}ready"):
            prepared.make_ready(mode, state)
        with record_function(f"{RANGE}first"):
            prepared.call(mode)(state)
        with record_function(f"{RANGE}again"):
            result = prepared.call(mode)(state)
        with record_function(f"{RANGE}reading"):
            prepared.to_numpy(mode, result)
    return parted(profiled.profiler.kineto_results.events())


def _all_threads() -> Any:
    """Return what makes PyTorch's profiler see the threads that others have started; None where it can't."""
    from torch._C._profiler import _ExperimentalConfig

    try:
        return _ExperimentalConfig(profile_all_threads=True)
    except TypeError:  # torch before 2.8
        return None


def parted(events: Iterable[Any]) -> dict[str, Seen]:
    """Return what was seen in each part, from the events of all: an event belongs to the part in which it began."""
    events = list(events)
    ranges = {}
    for event in events:
        if event.name().startswith(RANGE):
            start = event.start_ns()
            ranges[event.name().removeprefix(RANGE)] = range(start, start + event.duration_ns())
    parts = {part: Seen(set()) for part in ranges}
    for event in events:
        name = event.name()
        for part, nanoseconds in ranges.items():
            if event.start_ns() in nanoseconds:
                parts[part].names.add(name)
                if COUNTED.fullmatch(name):
                    parts[part].operations += event.flops()
    return parts


def check(seen: dict[str, Seen], needed: float, needed_before: float = 0.0) -> bool:
    """Return whether it is proven that a call on inputs which it has seen does all its products.

    Args:
        needed: the operations of a call's products.
        needed_before: of those that make a state ready for it: for `backward`, of forward_train.

    Raises:
        Suspicious: products are done where none belong, or a call on inputs which it has seen leaves some out.
    """
    for part, when in (("load", "when inputs are loaded"), ("reading", "when its result is read")):
        if part in seen and seen[part].products:
            products = ", ".join(seen[part].products)
            raise Suspicious(f"it multiplies matrices {when}, which is not timed: {products}")
    if "again" not in seen:
        return False
    again = seen["again"]
    first = seen["first"].operations
    too_few = again.all_counted and again.operations < LESS * needed
    if too_few and seen["ready"].operations > needed_before / LESS:
        raise Suspicious(
            "it does its work before it is called: forward_train makes products of backward"
        )
    if too_few and first >= LESS * needed:
        raise Suspicious(
            "it remembers its results: on inputs that it has seen, a call does"
            f" {again.operations / needed:.0%} of the operations of its matrix products,"
            f" on new ones {first / needed:.0%}"
        )
    return again.operations >= LESS * needed
