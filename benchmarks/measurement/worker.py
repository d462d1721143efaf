"""The process of one arm. It does what the runner asks over a socket, and nothing on its own.

Started as `python -m benchmarks.measurement.worker FD`. Nothing heavy is imported before the process is bound to its
processors, since thread pools are made at import.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measurement import protocol
from benchmarks.measurement.protocol import Failed

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its runner dies, however the runner dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that took effect
        os._exit(1)


def one_line(text: str, limit: int = 300) -> str:
    """Put text on one line, and cut it to a length that a table cell bears."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def failure_of(error: BaseException) -> Failed:
    """The status and the reason of a row that failed with this exception."""
    from benchmarks.correctness.agreement import Disagrees
    from impls.core.contract import Unsupported

    text = str(error)
    if isinstance(error, Unsupported):
        return Failed("unsupported", one_line(text))
    if isinstance(error, Disagrees):
        return Failed("disagrees", one_line(text))
    starved = ("out of memory", "not enough memory", "RESOURCE_EXHAUSTED", "can't allocate memory")
    no_memory = isinstance(error, MemoryError) or any(sign in text for sign in starved)
    return Failed("out_of_memory" if no_memory else "error", one_line(f"{type(error).__name__}: {text}"))


def failure_to_import(error: Exception, path: Path) -> Failed:
    """The status and the reason where an implementation could not be imported: its framework may not be there."""
    from impls.core import registry, versions

    if isinstance(error, ImportError):
        distributions = versions.distributions(registry.read(path))
        absent = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in distributions
        if absent or any(versions.version(name) is None for name in distributions):
            return Failed("not_installed", one_line(str(error)))
    return failure_of(error)  # a mistyped import is no missing framework


class OpenBenchmark:
    """A benchmark that is ready to be called."""

    def __init__(self, benchmark: Any, prepared: Any, inputs: Any) -> None:
        self.benchmark = benchmark
        self.prepared = prepared
        self.inputs = inputs
        self.call = prepared.call(benchmark.mode)
        self.state = self.fresh()

    def fresh(self) -> Any:
        """A newly loaded state in which the mode can be called."""
        return self.prepared.start(self.benchmark.mode, self.inputs)

    def finish(self, result: Any) -> Any:
        """Read a result, which waits for it."""
        return self.prepared.to_numpy(self.benchmark.mode, result)


class Worker:
    """The state of one arm: its module, and the benchmarks that are open."""

    def __init__(self, start: protocol.Start) -> None:
        from benchmarks.measurement import memory
        from impls.core import registry

        self.keeps_freed = memory.keep_freed()
        began = time.perf_counter()
        self.device = start.device
        self.implementation = registry.read(Path(start.path))
        self.module = registry.load(self.implementation)
        self.import_seconds = time.perf_counter() - began
        self.memory = memory
        gc.freeze()  # what the frameworks made stays; collecting need not look at it again
        self.base_bytes = memory.resident()
        self.opened: dict[str, OpenBenchmark] = {}

    def ready(self) -> protocol.Ready:
        """What the runner is told first."""
        from threadpoolctl import threadpool_info

        from impls.core import versions

        pools = [f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()]
        return protocol.Ready(
            digest=self.implementation.digest,
            import_seconds=self.import_seconds,
            base_bytes=self.base_bytes,
            pools=pools,
            keeps_freed=self.keeps_freed,
            versions=versions.versions_of(self.implementation),
        )

    def answer(self, request: protocol.AnyRequest) -> protocol.AnyAnswer:
        """Do what is asked."""
        match request:
            case protocol.Open():
                return self.open(request)
            case protocol.Close():
                self.opened.pop(request.benchmark, None)
                return protocol.Done()
            case protocol.Check():
                return self.check(request)
            case protocol.CheckProblem():
                return self.check_problem(request)
            case protocol.Inspect():
                return self.inspect(request)
            case protocol.Estimate():
                return self.estimate(request)
            case protocol.MeasurePeak():
                return protocol.Peak(*self.module.peak(self.device, request.dtype))
            case protocol.TakeTurn():
                return self.take_turn(request)

    def open(self, request: protocol.Open) -> protocol.Opened:
        """Prepare, load, and call twice. The first call is timed by itself."""
        from benchmarks.cases import Benchmark
        from impls.core import weights

        self.opened.pop(request.benchmark, None)
        benchmark = Benchmark.parse(request.benchmark)
        given = weights.read_weights(Path(request.weights))[1] if request.weights else {}
        arrays = weights.complete(given, benchmark.job, benchmark.workload, request.seed)
        inputs = weights.make_inputs(benchmark.job, request.seed)
        self.memory.reset_peak()
        before = self.memory.resident()
        prepared = self.module.prepare(benchmark.job, arrays, self.device, benchmark.workload)
        opened = OpenBenchmark(benchmark, prepared, inputs)
        start = time.perf_counter()
        opened.call(opened.state)
        first = time.perf_counter() - start
        opened.call(opened.state)
        self.opened[request.benchmark] = opened
        return protocol.Opened(first_call_seconds=first, peak_bytes=max(0, self.memory.peak() - before))

    def check(self, request: protocol.Check) -> protocol.Checked:
        """Compare one mode with the reference."""
        from benchmarks.correctness import agreement

        opened = self.opened[request.benchmark]
        benchmark = opened.benchmark
        expected = agreement.load_expected(Path(request.expected))
        largest = agreement.check(opened.prepared, benchmark.job, benchmark.workload, benchmark.mode, expected)
        return protocol.Checked(error=largest.error, tensor=largest.tensor)

    def check_problem(self, request: protocol.CheckProblem) -> protocol.Checked:
        """Compare every mode with the reference; the largest error of all."""
        from benchmarks.cases import Benchmark
        from benchmarks.correctness import agreement
        from impls.core import weights
        from impls.core.contract import MODES
        from impls.core.problem import Problem

        job = Benchmark(Problem.parse(request.problem), request.workload, "forward").job
        arrays = weights.make_weights(job, request.workload, request.seed)
        prepared = self.module.prepare(job, arrays, self.device, request.workload)
        expected = agreement.load_expected(Path(request.expected))
        modes = [mode for mode in MODES if getattr(prepared, mode) is not None]
        errors = [agreement.check(prepared, job, request.workload, mode, expected) for mode in modes]
        largest = max(errors, key=lambda found: found.error)
        return protocol.Checked(error=largest.error, tensor=largest.tensor)

    def inspect(self, request: protocol.Inspect) -> protocol.Done:
        """Look for missing synchronisation and remembered results."""
        from benchmarks.correctness import sanity

        opened = self.opened[request.benchmark]
        sanity.check_finished(opened.call, opened.state, opened.finish, request.seconds)
        sanity.check_not_remembered(opened.call, opened.state, opened.fresh)
        return protocol.Done()

    def estimate(self, request: protocol.Estimate) -> protocol.Estimated:
        """Find out roughly how long a call takes."""
        from benchmarks.measurement import timing

        opened = self.opened[request.benchmark]
        return protocol.Estimated(seconds=timing.estimate(opened.call, opened.state, request.seconds))

    def take_turn(self, request: protocol.TakeTurn) -> protocol.Taken:
        """Time one burst of calls."""
        from benchmarks.measurement import timing

        opened = self.opened[request.benchmark]
        plan = timing.Plan(request.samples, request.calls_per_sample)
        return protocol.Taken(turn=timing.turn(opened.call, opened.state, plan))


def serve(fd: int) -> None:
    """Answer requests until the socket closes."""
    with socket.socket(fileno=fd) as channel, channel.makefile("rwb") as lines:

        def send(number: int, content: protocol.AnyAnswer) -> None:
            lines.write(protocol.line(protocol.NumberedAnswer(number, content)))
            lines.flush()

        start = msgspec.json.decode(lines.readline(), type=protocol.Start)
        die_with_parent(start.runner)
        os.sched_setaffinity(0, start.cores)
        try:
            worker = Worker(start)
            send(0, worker.ready())
        except Exception as error:
            send(0, failure_to_import(error, Path(start.path)))
            return
        requests = msgspec.json.Decoder(protocol.NumberedRequest)
        for text in lines:
            try:
                message = requests.decode(text)
            except msgspec.MsgspecError as error:
                send(protocol.REFUSED, Failed("error", one_line(f"the worker refuses a request: {error}")))
                continue
            try:
                answer = worker.answer(message.content)
            except Exception as error:
                answer = failure_of(error)
            send(message.number, answer)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
