"""What a call does: its operators, by the framework's own profiler, its Python functions, and what a GPU does in it.

A profiler slows down what it watches. So by operator and function these are no times to report: they say which part
differs between two sides, and which operator takes the most time, the kernel of a benchmark. Frameworks other than
PyTorch and JAX report that by Prepared.kernel. Nothing is assumed: without a report, the kernel is not known.

A GPU is watched by CUPTI, NVIDIA's profiling library: the module cupti of the package cupti-python. Where it is not
installed or does not work, that is not known.
"""

import cProfile
import importlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import CodeType
from typing import Any, Union

import msgspec

from benchmarks.worker.protocol import Request
from benchmarks.worker.worker import Worker
from impls.core.contract import Prepared
from impls.core.operators import Ran, added, longest

COMPILED = re.compile(r"^## Call CompiledFxGraph .*")
"""How PyTorch's profiler names a graph that torch.compile has made; the rest is a hash of it."""
WORK = ("CONCURRENT_KERNEL", "MEMCPY", "MEMSET")
"""The kinds of activity that are work of the GPU, by CUPTI's names."""
BUFFER_BYTES = 8 * 2**20


def name(prepared: Prepared, mode: str, state: Any) -> str | None:
    """Return the kernel of a mode, such as `aten::addmm × 128`; None where the framework does not tell."""
    if prepared.kernel is not None:
        kernel = prepared.kernel(mode, state)
        return None if kernel is None else str(kernel)
    operators = ran(prepared.call(mode), state, 1)
    return longest(operators) if operators else None


def ran(call: Callable[[Any], Any], state: Any, calls: int) -> dict[str, Ran]:
    """Return what each operator did, from the profilers of the frameworks that are loaded, PyTorch and JAX."""
    profilers = {"torch": _of_torch, "jax": _of_jax}
    loaded = [profiler for framework, profiler in profilers.items() if framework in sys.modules]
    return added(event for profiler in loaded for event in profiler(call, state, calls))


def functions(call: Callable[[Any], Any], state: Any, calls: int) -> dict[str, Ran]:
    """Return what each Python function did, and each builtin where one calls it, by cProfile.

    Lines are left out, since edits move them.
    """
    with cProfile.Profile() as profile:
        for _ in range(calls):
            call(state)
    entries = profile.getstats()
    own: list[tuple[str, Any]] = []
    placed = set()  # builtins that a function calls
    for entry in entries:
        for sub in entry.calls or ():
            if isinstance(sub.code, str):
                placed.add(sub.code)
                own.append((f"{_name(sub.code)} in {_name(entry.code)}", sub))
    own += [(_name(entry.code), entry) for entry in entries if entry.code not in placed]
    return added((name, Ran(entry.inlinetime, entry.callcount)) for name, entry in own)


def _name(code: CodeType | str) -> str:
    """Return a name such as `impls/torch_cell.py Cell.forward`, or of a builtin `torch._C._nn.linear`."""
    if isinstance(code, str):
        return re.sub(
            r" of '?[\w.]+'? object.*|^<built-in (method|function) |[<>']", "", code
        ).strip()
    path = Path(code.co_filename)
    return f"{path.parent.name}/{path.name} {code.co_qualname}"


def _of_torch(call: Callable[[Any], Any], state: Any, calls: int) -> Iterator[tuple[str, Ran]]:
    import torch
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_initialized():
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiled:
        for _ in range(calls):
            call(state)
    # key_averages() takes four times as long
    yield from _of_kineto(profiled.profiler.kineto_results.events())


def _of_kineto(events: Sequence[Any]) -> Iterator[tuple[str, Ran]]:
    """Yield what each operator did. Where a GPU worked, only its kernels did: the host's events start or await them."""
    copies: list[Any] = []
    kernels: list[Any] = []
    for event in events:
        if event.device_type().name != "CPU" and not event.is_user_annotation():
            copied = event.name().startswith(("Memcpy", "Memset"))
            (copies if copied else kernels).append(event)
    lines: dict[int, list[tuple[str, float, float]]] = {}  # of a thread or a stream
    for event in kernels or copies or events:
        line = lines.setdefault(event.device_resource_id(), [])
        line.append((event.name(), event.start_ns(), event.duration_ns()))
    for line in lines.values():
        for name, own in own_times(line):
            yield COMPILED.sub("torch.compile's code", name), Ran(1e-9 * own, 1)


def _of_jax(call: Callable[[Any], Any], state: Any, calls: int) -> Iterator[tuple[str, Ran]]:
    import jax

    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            for _ in range(calls):
                call(state)
        files = Path(folder).rglob("*.xplane.pb")
        profiles = [jax.profiler.ProfileData.from_file(str(path)) for path in files]
    of_host: list[tuple[str, float]] = []
    of_device: list[tuple[str, float]] = []
    for plane in chain.from_iterable(profile.planes for profile in profiles):
        device = plane.name.startswith("/device:")
        for line in plane.lines:
            (of_device if device else of_host).extend(_operators_of(device, line))
    # where a GPU worked, only its kernels did: the host's events start or await them
    for name, own in of_device or of_host:
        # the same operator gets another number in another program
        yield re.sub(r"\.\d+$", "", name), Ran(1e-9 * own, 1)


def _operators_of(device: bool, line: Any) -> list[tuple[str, float]]:
    """Return the own nanoseconds of each operator on a line of JAX's profile: an operator of XLA, or a GPU's kernel."""
    events = list(line.events)
    pairs = own_times((event.name, event.start_ns, event.duration_ns) for event in events)
    if device:  # a GPU's other lines show the same time again, by module and by source
        return pairs if line.name.startswith("Stream") else []
    # the others wait or call; "end: x" marks the end of x
    operators = {event.name for event in events if "hlo_op" in dict(event.stats)}
    return [(name, own) for name, own in pairs if name in operators and name[:5] != "end: "]


def own_times(events: Iterable[tuple[str, float, float]]) -> list[tuple[str, float]]:
    """Return each event's own time: its duration without that of the events inside it.

    An event of a thread is a name, a start and a duration. They come in any order.
    """
    own: list[tuple[str, float]] = []
    stack: list[tuple[int, float]] = []  # of the events that have begun and not ended: index, end
    for name, start, duration in sorted(events, key=lambda event: (event[1], -event[2])):
        while stack and stack[-1][1] <= start:
            stack.pop()
        if stack:
            parent = stack[-1][0]
            own[parent] = own[parent][0], max(0.0, own[parent][1] - duration)  # some only overlap
        stack.append((len(own), start + duration))
        own.append((name, duration))
    return own


def traced(work: Callable[[], None], calls: int) -> tuple[float | None, float | None]:
    """Return the same as `trace`, or None twice where that is not known: it costs no row."""
    try:
        return trace(work, calls)
    except Exception:  # whatever CUPTI's binding raises, in this version of it
        return None, None


def trace(work: Callable[[], None], calls: int) -> tuple[float, float]:
    """Return for how many seconds the GPU works for a call, and how many kernels it runs, by CUPTI.

    `work` makes the calls, and waits for them.

    Raises:
        ImportError: where CUPTI is not installed.
        Exception: where it can't be loaded, another profiler is at work, or it sees nothing.
    """
    cupti = importlib.import_module("cupti.cupti")
    activities: list[tuple[int, int, int]] = []

    def completed(buffer: Iterable[Any]) -> None:
        activities.extend((int(it.kind), int(it.start), int(it.end)) for it in buffer)

    kinds = [getattr(cupti.ActivityKind, name) for name in WORK]
    with ExitStack() as ends:
        cupti.activity_register_callbacks(lambda: (BUFFER_BYTES, 0), completed)
        for kind in kinds:
            cupti.activity_enable(kind)
            if kind == kinds[0]:  # only now: it would end another profiler that may be at work
                ends.callback(cupti.finalize)
            ends.callback(cupti.activity_disable, kind)
        work()
        cupti.activity_flush_all(1)
    numbers = [int(kind) for kind in kinds]
    intervals = [(start, end) for kind, start, end in activities if kind in numbers]
    if not intervals:
        raise RuntimeError("CUPTI saw no work of the GPU")
    kernels = [kind for kind, _, _ in activities].count(numbers[0])
    return 1e-9 * busy(intervals) / calls, kernels / calls


def busy(intervals: Iterable[tuple[int, int]]) -> int:
    """Return how long at least one of some intervals lasts: kernels on several streams may overlap."""
    total = 0
    until = 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total


class NameKernel(Request[Union[str, None]]):  # noqa: UP007 - the type of the answer
    """Find out which kernel does an open benchmark, in words; None where its framework does not tell."""

    benchmark: str

    def do(self, worker: Worker) -> str | None:
        opened = worker.opened[self.benchmark]
        return name(opened.prepared, opened.benchmark.mode, opened.state)


FUSED = re.compile(r"^aten::.*(rnn|quantized_lstm)")
"""PyTorch's operators that compute a whole LSTM."""


class NameOperator(Request[Union[str, None]]):  # noqa: UP007 - the type of the answer
    """Tell the operator that computes an open benchmark's LSTM, in training if it can be trained.

    It is a fused one where one ran, otherwise that which took most time: in a small shape, that says little. None where
    its framework does not tell.
    """

    benchmark: str

    def do(self, worker: Worker) -> str | None:
        opened = worker.opened[self.benchmark]
        prepared = opened.prepared
        mode = "train_step" if prepared.train_step else "forward"
        state = prepared.start(mode, worker.inputs_of(opened.benchmark, 0))
        operators = ran(prepared.call(mode), state, 1)
        fused = sorted(filter(FUSED.match, operators))
        if fused:
            return fused[0]
        return longest(operators) if operators else None


class Profiled(msgspec.Struct, forbid_unknown_fields=True):
    """What each operator and each Python function does in a call."""

    operators: dict[str, Ran]
    functions: dict[str, Ran]


class Profile(Request[Profiled]):
    """Profile calls of an open benchmark: by operator, and then as many by Python function."""

    benchmark: str
    calls: int

    def do(self, worker: Worker) -> Profiled:
        opened = worker.opened[self.benchmark]
        operators = ran(opened.call, opened.state, self.calls)
        of_python = functions(opened.call, opened.state, self.calls)
        return Profiled(self._of_a_call(operators), self._of_a_call(of_python))

    def _of_a_call(self, sums: dict[str, Ran]) -> dict[str, Ran]:
        n = self.calls
        return {name: Ran(seconds / n, times / n) for name, (seconds, times) in sums.items()}
