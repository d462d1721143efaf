"""The process of an arm. It does what the runner requests over a socket, and nothing else.

`python -m benchmarks.worker.worker FD` starts it. No framework is imported before the process is bound to its
processors, since frameworks make their thread pools at import.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import signal
import socket
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import msgspec

from benchmarks.worker import protocol, timing
from benchmarks.worker.failures import failure_of, failure_to_import, one_line
from benchmarks.worker.protocol import Failed

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its runner dies, however the runner dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the runner died before the call took effect
        os._exit(1)


class OpenBenchmark:
    """A benchmark that can be called."""

    def __init__(self, benchmark: Any, prepared: Any, inputs: Any) -> None:
        self.benchmark = benchmark
        self.prepared = prepared
        self.call = prepared.call(benchmark.mode)
        self.reading: Any = None
        self.drain_seconds = 0.0  # after the last turn that was read
        self.state = self.fresh(inputs)

    def fresh(self, inputs: Any) -> Any:
        """Load a new state in which the mode can be called."""
        return self.prepared.start(self.benchmark.mode, inputs)

    def finish(self, result: Any) -> Any:
        """Read a result, which waits for it."""
        return self.prepared.to_numpy(self.benchmark.mode, result)


class Worker:
    """The state of the process: the implementation's module, and the open benchmarks."""

    def __init__(self, start: protocol.Start) -> None:
        from benchmarks.worker import devices, memory
        from impls.core import registry

        self.keeps_freed = memory.keep_freed()
        began = perf_counter()
        self.device = start.device
        self.implementation = registry.read(Path(start.path))
        self.module = registry.load(self.implementation)
        self.import_seconds = perf_counter() - began
        self.hardware = devices.device(start.device)
        gc.freeze()  # the frameworks' objects stay alive; the collector need not visit them again
        self.base_bytes = memory.resident()
        self.opened: dict[str, OpenBenchmark] = {}
        self.seed = 0  # of the inputs
        self.made: tuple[Any, Any] | None = None  # the last set of inputs, with its problem, seed and number before it

    def ready(self) -> protocol.Ready:
        """Return the first answer."""
        from threadpoolctl import ThreadpoolController

        from impls.core import versions

        self.controller = ThreadpoolController()
        pools = [f"{pool['internal_api']} {pool['num_threads']}" for pool in self.controller.info()]
        return protocol.Ready(
            digest=self.implementation.digest,
            import_seconds=self.import_seconds,
            base_bytes=self.base_bytes,
            pools=pools,
            keeps_freed=self.keeps_freed,
            versions=versions.versions_of(self.implementation),
        )

    def answer(self, request: protocol.AnyRequest) -> protocol.AnyAnswer:
        """Do a request and return its answer."""
        match request:
            case protocol.Open():
                return self.open(request)
            case protocol.Close():
                return self.close(request)
            case protocol.Check():
                return self.check(request)
            case protocol.CheckProblem():
                return self.check_problem(request)
            case protocol.CheckExtremes():
                from benchmarks.worker import extremes

                return extremes.answer(request, self.module.prepare, self.device)
            case protocol.Inspect():
                return self.inspect(request)
            case protocol.Estimate():
                return self.estimate(request)
            case protocol.MeasurePeak():
                return protocol.Peak(self.module.peak(self.device, request.dtype), self.module.dispatch())
            case protocol.Load():
                return self.load(request)
            case protocol.Warm():
                return self.warm(request)
            case protocol.TakeTurn():
                return self.take_turn(request)
            case protocol.Compare():
                return self.compare(request)
            case protocol.Pipeline():
                return self.pipeline(request)
            case protocol.NameKernel():
                from benchmarks.worker import kernels

                opened = self.opened[request.benchmark]
                return protocol.KernelNamed(kernels.name(opened.prepared, opened.benchmark.mode, opened.state))
            case protocol.Profile():
                return self.profile(request)
            case protocol.ExplainOpening():
                return self.explain_opening(request)

    def open(self, request: protocol.Open) -> protocol.Opened:
        """Prepare, load, and call twice; time the first call."""
        self.opened.pop(request.benchmark, None)
        benchmark, arrays, inputs = self.given(request)
        self.hardware.reset_peak()
        before = self.hardware.used()
        prepared = self.module.prepare(benchmark.timed_problem, arrays, self.device, benchmark.workload)
        opened = OpenBenchmark(benchmark, prepared, inputs)
        self.hardware.drain()  # copies to a device may go on
        start = perf_counter()
        opened.call(opened.state)
        first = perf_counter() - start
        opened.call(opened.state)
        self.opened[request.benchmark] = opened
        peak = self.hardware.peak()
        of = getattr(prepared, "compiled_before", None)  # that of a gate's base may be older
        return protocol.Opened(
            first_call_seconds=first,
            peak_bytes=None if peak is None else max(0, peak - before),
            compiled_before_seconds=of() if of is not None else 0.0,
        )

    def given(self, request: protocol.Open | protocol.ExplainOpening) -> tuple[Any, Any, Any]:
        """Return the benchmark, weights and inputs of a request that opens a benchmark."""
        from benchmarks.cases import Benchmark
        from benchmarks.worker.agreement import REPLICATE
        from impls.core import weights

        self.seed = request.inputs
        benchmark = Benchmark.parse(request.benchmark)
        given = weights.read_weights(Path(request.weights))[1] if request.weights else {}
        arrays = weights.complete(given, benchmark.timed_problem, benchmark.workload, request.seed)
        return benchmark, arrays, self.inputs_of(benchmark, len(REPLICATE))  # turns get the others, which are then new

    def explain_opening(self, request: protocol.ExplainOpening) -> protocol.OpeningExplained:
        """Prepare, load, and call twice; tell what each takes."""
        from benchmarks.worker import profiling

        benchmark, arrays, inputs = self.given(request)
        self.hardware.reset_peak()
        peaks: dict[str, float] = {}
        before = self.hardware.used()

        def raised(step: str) -> None:
            nonlocal before
            self.hardware.drain()
            if (peak := self.hardware.peak()) is not None:
                peaks[step] = float(max(0, peak - before))
                before = max(before, peak)

        prepared = self.module.prepare(benchmark.timed_problem, arrays, self.device, benchmark.workload)
        raised("preparing")
        opened = OpenBenchmark(benchmark, prepared, inputs)
        raised("loading")
        start, cpu = perf_counter(), process_time()
        functions = profiling.functions(opened.call, opened.state, 1)
        seconds, cpu = perf_counter() - start, process_time() - cpu
        raised("the first call")
        opened.call(opened.state)
        raised("the second call")
        return protocol.OpeningExplained(
            first_call_seconds=seconds, first_call_cpu_seconds=cpu, functions=functions, peaks=peaks
        )

    def close(self, request: protocol.Close) -> protocol.Done:
        """Release a benchmark, and give its memory back."""
        self.opened.pop(request.benchmark, None)
        self.made = None
        self.hardware.reset_peak()
        return protocol.Done()

    def inputs_of(self, benchmark: Any, k: int) -> Any:
        """Return set k of a replicate's inputs. Only the last is kept: those of many problems would fill the memory."""
        from benchmarks.worker.agreement import REPLICATE, input_set

        key = benchmark.timed_problem, self.seed, k
        if self.made is None or self.made[0] != key:
            self.made = None  # before the new one is made, which can then use its memory
            self.made = key, input_set(benchmark.timed_problem, self.seed, k, REPLICATE)
        return self.made[1]

    def check(self, request: protocol.Check) -> protocol.Checked:
        """Compare an open benchmark with the reference."""
        from benchmarks.worker import agreement

        opened = self.opened[request.benchmark]
        benchmark = opened.benchmark
        want = agreement.Saved(Path(request.expected))
        largest = agreement.check(
            opened.prepared, benchmark.timed_problem, benchmark.workload, benchmark.mode, want, request.inputs
        )
        return protocol.Checked(error=largest.error, tensor=largest.tensor)

    def check_problem(self, request: protocol.CheckProblem) -> protocol.Checked:
        """Compare every mode with the reference and return the largest error."""
        from benchmarks.cases import Benchmark
        from benchmarks.worker import agreement
        from impls.core import weights
        from impls.core.contract import MODES
        from impls.core.problem import Problem

        problem = Benchmark(Problem.parse(request.problem), request.workload, "forward").timed_problem
        arrays = weights.make_weights(problem, request.workload, request.seed)
        prepared = self.module.prepare(problem, arrays, self.device, request.workload)
        modes = [mode for mode in MODES if getattr(prepared, mode) is not None]
        want = agreement.Saved(Path(request.expected))
        errors = [agreement.check(prepared, problem, request.workload, mode, want, request.inputs) for mode in modes]
        largest = max(errors, key=lambda checked: checked.error)
        return protocol.Checked(error=largest.error, tensor=largest.tensor, modes=tuple(modes))

    def inspect(self, request: protocol.Inspect) -> protocol.Done:
        """Look for work that is left and for remembered results."""
        from benchmarks.worker import sanity
        from benchmarks.worker.agreement import REPLICATE, input_set

        opened = self.opened[request.benchmark]
        further = itertools.count(len(REPLICATE) + 1)  # nothing has seen these inputs
        problem = opened.benchmark.timed_problem
        reading = sanity.read(opened.call(opened.state), opened.finish)
        sanity.check_finished(opened.call, opened.state, opened.finish, request.seconds, reading)
        sanity.check_drained(opened.call, opened.state, self.hardware.drain, request.seconds)

        def fresh() -> Any:
            state = opened.fresh(input_set(problem, self.seed, next(further), REPLICATE))
            self.hardware.drain()  # a call would otherwise wait for the copies to the device
            return state

        sanity.check_not_remembered(opened.call, opened.state, fresh)
        return protocol.Done()

    def estimate(self, request: protocol.Estimate) -> protocol.Estimated:
        """Measure roughly how long a call takes."""
        opened = self.opened[request.benchmark]
        return protocol.Estimated(seconds=timing.estimate(opened.call, opened.state, request.seconds))

    def load(self, request: protocol.Load) -> protocol.Done:
        """Load new inputs into an open benchmark."""
        opened = self.opened[request.benchmark]
        opened.state = None  # before the new state is made, which can then use its memory
        opened.state = opened.fresh(self.inputs_of(opened.benchmark, request.inputs))
        return protocol.Done()

    def warm(self, request: protocol.Warm) -> protocol.Done:
        """Call an open benchmark, so that its device is at work when the turn begins."""
        opened = self.opened[request.benchmark]
        for _ in range(request.calls):
            opened.call(opened.state)
        return protocol.Done()

    def take_turn(self, request: protocol.TakeTurn) -> protocol.Taken:
        """Time a turn, and read the result of its last call where that is requested."""
        from benchmarks.worker import sanity

        opened = self.opened[request.benchmark]
        plan = timing.Plan(request.samples, request.calls_per_sample)
        flush = self.hardware.flush if request.cold else None
        turn, result = timing.turn(opened.call, opened.state, plan, flush)
        if request.read:
            start = perf_counter()
            self.hardware.drain()
            opened.drain_seconds = perf_counter() - start
            opened.reading = sanity.read(result, opened.finish)
            turn.read_seconds, turn.reread_seconds = opened.reading.first_seconds, opened.reading.again_seconds
        timing.check_clocks()
        return protocol.Taken(turn, [pool.num_threads for pool in self.controller.lib_controllers])

    def compare(self, request: protocol.Compare) -> protocol.Done:
        """Compare what the last turn has read with the reference, and see whether work was left for the reading."""
        from benchmarks.worker import agreement, sanity

        opened = self.opened[request.benchmark]
        benchmark, reading = opened.benchmark, opened.reading
        opened.reading = None
        want = agreement.Saved(Path(request.expected))
        where = f"{benchmark.workload}/{benchmark.mode}, the last timed call"
        what = request.prefix, benchmark.workload, benchmark.mode, benchmark.problem.dtype, where
        largest = agreement.compare_part(reading.arrays, want, *what)
        assert largest is not None, f"no results of the reference under {request.prefix}"
        sanity.check_finished(opened.call, opened.state, opened.finish, request.seconds, reading)
        if sanity.undrained(opened.drain_seconds, request.seconds):
            sanity.check_drained(opened.call, opened.state, self.hardware.drain, request.seconds)
        return protocol.Done()

    def pipeline(self, request: protocol.Pipeline) -> protocol.Pipelined:
        """Time calls that do not wait, compare their last result with that of the timed mode, and trace the device.

        Both begin with the same inputs and make as many calls, so that a mode that updates parameters is compared too.
        """
        from benchmarks.worker import agreement, tracing

        opened, calls = self.opened[request.benchmark], range(request.calls)
        mode, dtype = opened.benchmark.mode, opened.benchmark.problem.dtype
        seconds = None
        of = getattr(opened.prepared, "submit", None)  # that of a gate's base may be older
        if of is not None:
            inputs = self.inputs_of(opened.benchmark, 0)
            opened.state = None  # its memory is used again, as in load
            opened.state = opened.fresh(inputs)
            self.hardware.drain()
            seconds, result = timing.pipelined(of(mode), opened.state, request.warm, request.calls, self.hardware.drain)
            got = opened.finish(result)
            opened.state = result = None
            opened.state = opened.fresh(inputs)
            for _ in range(request.warm + request.calls):
                result = opened.call(opened.state)
            agreement.compare(got, opened.finish(result), dtype, f"{mode}, without its wait")

        def work() -> None:
            for _ in calls:
                opened.call(opened.state)
            self.hardware.drain()

        cupti = tracing.library()
        traced = tracing.traced(cupti, work) if cupti is not None else None
        return protocol.Pipelined(
            seconds=seconds,
            gpu_seconds=traced.seconds / request.calls if traced else None,
            gpu_kernels=traced.kernels / request.calls if traced else None,
        )

    def profile(self, request: protocol.Profile) -> protocol.Profiled:
        """Profile calls, by operator and by Python function."""
        from benchmarks.worker import profiling

        opened = self.opened[request.benchmark]
        what = opened.call, opened.state, request.calls
        return protocol.Profiled(operators=profiling.operators(*what), functions=profiling.functions(*what))


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
                worker.hardware.drain()  # what was submitted would run on against the next arm
            except Exception as error:
                answer = failure_of(error)
            send(message.number, answer)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
