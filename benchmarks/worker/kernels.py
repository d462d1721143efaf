"""Which kernel does a benchmark: the operator that takes the most time of a call, and how often it runs in a call.

The operators come from the profilers of PyTorch and JAX, the kernels of oneDNN and MKL from their
logs. Other frameworks report it by Prepared.kernel; MLX has no profiler for the CPU, so its file counts the products in
its graph. Nothing is assumed: without a report, the kernel is not known.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Union

from benchmarks.worker import profiling
from benchmarks.worker.protocol import Request
from benchmarks.worker.worker import Worker
from impls.core.contract import Prepared
from impls.core.operators import longest

ONEDNN = re.compile(
    r"^onednn_verbose,(?:v\d+,)?primitive,exec,cpu,(?P<kind>\w+),(?P<kernel>[^,]+),.*,(?P<time>[\d.]+)$", re.MULTILINE
)
MKL = re.compile(r"^MKL_VERBOSE (?P<kernel>\w+)\(.*?\) (?P<time>[\d.]+)(?P<unit>[num]?s)\b", re.MULTILINE)
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def name(prepared: Prepared, mode: str, state: Any) -> str | None:
    """Return such as `aten::addmm × 128 (MKL SGEMM)`; None where the framework does not tell."""
    if prepared.kernel is not None:
        told = prepared.kernel(mode, state)
        return None if told is None else str(told)
    call = prepared.call(mode)
    with output():  # a profiler's own messages would be the last words of a worker that dies later
        ran = profiling.ran(call, state, 1)
    if not ran:
        return None
    library = libraries(call, state)
    return longest(ran) + (f" ({max(library, key=library.__getitem__)})" if library else "")


def libraries(call: Callable[[Any], Any], state: Any) -> dict[str, float]:
    """Return the seconds that a call spends in each kernel of oneDNN and MKL, by PyTorch's logs of them."""
    if "torch" not in sys.modules:
        return {}
    import torch

    logs = (
        (torch.backends.mkldnn.verbose, torch.backends.mkldnn.VERBOSE_ON),
        (torch.backends.mkl.verbose, torch.backends.mkl.VERBOSE_ON),
    )
    with output() as read, contextlib.ExitStack() as stack:
        for log, level in logs:
            with contextlib.suppress(AssertionError):  # this PyTorch was built without that library
                stack.enter_context(log(level))  # type: ignore[no-untyped-call]
        call(state)
    return logged(read())


def logged(text: str) -> dict[str, float]:
    """Return the seconds of each kernel in logs of oneDNN and MKL."""
    seconds: dict[str, float] = defaultdict(float)
    for found in ONEDNN.finditer(text):
        if found["kind"] != "reorder":  # which only moves numbers to where another kernel wants them
            seconds[f"oneDNN {found['kind']} {found['kernel']}"] += 1e-3 * float(found["time"])
    for found in MKL.finditer(text):
        seconds[f"MKL {found['kernel']}"] += float(found["time"]) * SECONDS[found["unit"]]
    return dict(seconds)


@contextlib.contextmanager
def output() -> Iterator[Callable[[], str]]:
    """Catch what this process, Python and C, writes; give a function that returns it once the context has ended."""
    flush = ctypes.CDLL(None).fflush
    with tempfile.TemporaryFile() as file:
        sys.stdout.flush()
        sys.stderr.flush()
        flush(None)
        kept = {number: os.dup(number) for number in (1, 2)}
        for number in kept:
            os.dup2(file.fileno(), number)
        text = ""
        try:
            yield lambda: text
        finally:
            flush(None)
            for number, before in kept.items():
                os.dup2(before, number)
                os.close(before)
            file.seek(0)
            text = file.read().decode(errors="replace")


class NameKernel(Request[Union[str, None]]):  # noqa: UP007 - the type of the answer
    """Find out which kernel does an open benchmark, in words; None where its framework does not tell."""

    benchmark: str

    def do(self, worker: Worker) -> str | None:
        opened = worker.opened[self.benchmark]
        return name(opened.prepared, opened.benchmark.mode, opened.state)
